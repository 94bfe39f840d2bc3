"""A flow whose only task raises. It ends as Failed; its process ends as if all were well."""

from prefect import Flow, task
from prefect.run_configs import KubernetesRun
from prefect.storage import Docker


@task
def divide():
    return 1 / 0


flow = Flow('failing', tasks=[divide])
flow.storage = Docker(
    registry_url='registry.example.com',
    image_name='failing',
    image_tag='1',
    stored_as_script=True,
    path=__file__,
)
flow.run_config = KubernetesRun(labels=['k8s'])
