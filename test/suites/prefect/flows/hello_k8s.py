from prefect import task, Flow
import prefect
from prefect.storage import Docker
from prefect.run_configs import KubernetesRun


@task
def hello_task():
    prefect.context.get('logger').info('Hello, Kubernetes!')


flow = Flow('hello-k8s', tasks=[hello_task])
flow.storage = Docker(
    registry_url='registry.example.com',
    image_name='hello-k8s',
    image_tag='1',
    stored_as_script=True,
    path=__file__,
)
flow.run_config = KubernetesRun(labels=['k8s'])
