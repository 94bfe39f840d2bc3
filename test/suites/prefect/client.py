"""What a flow's author does with the real client: one act, its result as one JSON value.

    client.py schedule FILE    registers the flow in FILE and creates a run: {"flow": id, "run": id}
    client.py cancel RUN_ID    cancels the run: the state it has then
"""

import json
import sys

# The client prints addresses of pages to standard output, which belongs to the result here.
result, sys.stdout = sys.stdout, sys.stderr

from prefect import Client
from prefect.utilities.storage import extract_flow_from_file

PROJECT = 'flows'


def schedule(path):
    flow = extract_flow_from_file(file_path=path)
    flow.storage.add_flow(flow)
    client = Client()
    client.create_project(PROJECT)
    flow_id = flow.register(project_name=PROJECT, build=False)
    return {'flow': flow_id, 'run': client.create_flow_run(flow_id=flow_id)}


def cancel(run_id):
    return Client().cancel_flow_run(run_id)


act, argument = sys.argv[1:]
json.dump({'schedule': schedule, 'cancel': cancel}[act](argument), result)
