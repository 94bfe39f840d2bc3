"""A flow that its image does not hold: storage names a module that nobody has installed."""

from prefect import Flow, task
from prefect.run_configs import KubernetesRun
from prefect.storage import Module


@task
def hello_task():
    return 'never said'


flow = Flow('missing-module', tasks=[hello_task])
flow.storage = Module('warehouse_flows')
flow.run_config = KubernetesRun(image='registry.example.com/warehouse:1', labels=['k8s'])
