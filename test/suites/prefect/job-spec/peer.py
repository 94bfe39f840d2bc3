"""Plays the peer: one JSON case per line in, one JSON answer per line out.

Calls KubernetesAgent.generate_job_spec of the installed Prefect as it is. Replaced are only what needs a cluster
(the two API clients), what is random (the identifier) and where templates are read from (the case itself).

Case:   {"run": flow run as GraphQL gives it, "agent": {...}, "files": {path: template}}
Answer: {"job": {...}} or {"error": {"kind": class, "message": text}}
"""

import json
import sys
from unittest import mock
from uuid import UUID

# Prefect logs to standard output, which belongs to the answers here.
answers, sys.stdout = sys.stdout, sys.stderr

import prefect.agent.kubernetes.agent as module
import prefect.utilities.kubernetes
from prefect.utilities.configuration import set_temporary_config
from prefect.utilities.graphql import GraphQLResult

IDENTIFIER = UUID("3f9c02ab-0000-4000-8000-000000000000")

read_real_bytes = module.read_bytes_from_path


def agent_of(options):
    agent = module.KubernetesAgent(
        service_account_name=options["serviceAccountName"],
        image_pull_secrets=options["imagePullSecrets"],
        job_template_path="case:agent" if options["hasTemplate"] else None,
        labels=options["labels"],
        env_vars=options["env"],
        no_cloud_logs=not options["sendFlowRunLogs"],
    )
    agent.logger.disabled = True
    return agent


def generate(case):
    files = case["files"]
    options = case["agent"]

    def read(path):
        return json.dumps(files[path]).encode() if path in files else read_real_bytes(path)

    settings = {
        "backend": options["backend"],
        "cloud.api": options["api"],
        "cloud.api_key": options["key"],
        "cloud.tenant_id": options["tenantId"],
        "logging.level": options["loggingLevel"],
    }
    with set_temporary_config(settings), mock.patch.object(module, "read_bytes_from_path", read):
        return agent_of(options).generate_job_spec(GraphQLResult(case["run"]))


def answer(case):
    try:
        return {"job": generate(case)}
    except Exception as error:
        return {"error": {"kind": type(error).__name__, "message": str(error)}}


def main():
    prefect.utilities.kubernetes.get_kubernetes_client = lambda *args, **kwargs: None
    module.uuid.uuid4 = lambda: IDENTIFIER
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


main()
