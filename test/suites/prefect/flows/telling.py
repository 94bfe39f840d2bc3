"""A flow that writes the API key of its own process into its run's log."""

import prefect
from prefect import Flow, task
from prefect.run_configs import KubernetesRun
from prefect.storage import Docker


@task
def tell():
    prefect.context.get('logger').info('key: %s', prefect.config.cloud.api_key)


flow = Flow('telling', tasks=[tell])
flow.storage = Docker(
    registry_url='registry.example.com',
    image_name='telling',
    image_tag='1',
    stored_as_script=True,
    path=__file__,
)
flow.run_config = KubernetesRun(labels=['k8s'])
