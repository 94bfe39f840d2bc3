"""A task that fails once and asks for an hour's pause: more than a flow process waits for (ten minutes)."""

from datetime import timedelta

import prefect
from prefect import Flow, task
from prefect.run_configs import KubernetesRun
from prefect.storage import Docker


@task
def extract():
    prefect.context.get('logger').info('Extracted.')


@task(max_retries=1, retry_delay=timedelta(hours=1))
def load():
    if prefect.context.get('task_run_count') == 1:
        raise RuntimeError('the warehouse is closed')
    prefect.context.get('logger').info('Loaded.')


with Flow('late-retry') as flow:
    load(upstream_tasks=[extract])

flow.storage = Docker(
    registry_url='registry.example.com',
    image_name='late-retry',
    image_tag='1',
    stored_as_script=True,
    path=__file__,
)
flow.run_config = KubernetesRun(labels=['k8s'])
