"""The real Kubernetes agent of Prefect 1.4.1 at work, measured: the last line it prints is one JSON object.

    peer_agent.py create JOBS   polls and deploys as it always does, until so many Jobs are created
    peer_agent.py list JOBS     lists so many Jobs, in the pages of its sweep (agent/kubernetes/agent.py, manage_jobs)

CPU is that of this process, from the start of the work to its end; ms is the time for it, and jobs how many it was for.
The work of creating starts when the Jobs of the agent's first poll are created: then everything is loaded and connected.
"""

import json
import os
import resource
import signal
import sys
import threading
import time

from prefect.agent.kubernetes import KubernetesAgent


def cpu_ms():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1000


class Work:
    """What the work has cost since it began."""

    def __init__(self):
        self.begun, self.cpu = time.perf_counter(), cpu_ms()

    def done(self):
        return {
            'ms': (time.perf_counter() - self.begun) * 1000,
            'cpuMs': cpu_ms() - self.cpu,
        }


# Runs of one poll of the agent.
FIRST_POLL = 25


class CountedAgent(KubernetesAgent):
    """Ends, as by Ctrl-C, when so many runs are dealt with."""

    def __init__(self, jobs, **options):
        super().__init__(**options)
        self.jobs, self.dealt_with, self.work, self.result = jobs, 0, None, None
        self.lock = threading.Lock()

    def _deploy_flow_run_completed_callback(self, future, flow_run_id):
        try:
            # Raises KeyError for a run that was deployed before the agent had noted that it is being deployed.
            super()._deploy_flow_run_completed_callback(future, flow_run_id=flow_run_id)
        finally:
            self.count()

    def count(self):
        with self.lock:
            self.dealt_with += 1
            if self.dealt_with == FIRST_POLL:
                self.work = Work()
            if self.dealt_with == self.jobs:
                self.result = {**self.work.done(), 'jobs': self.jobs - FIRST_POLL}
                os.kill(os.getpid(), signal.SIGINT)


def create(jobs):
    agent = CountedAgent(jobs, namespace='flows')
    agent.start()
    return agent.result


def list_jobs(jobs):
    agent = KubernetesAgent(namespace='flows')
    work, listed, rest = Work(), 0, ''
    while rest is not None:
        page = agent.batch_client.list_namespaced_job(
            namespace='flows', label_selector='prefect.io/identifier', limit=20, _continue=rest
        )
        listed, rest = listed + len(page.items), page.metadata._continue or None
    if listed != jobs:
        raise SystemExit(f'{listed} Jobs were listed where there are {jobs}.')
    return {**work.done(), 'jobs': listed}


act, count = sys.argv[1:]
print(json.dumps({'create': create, 'list': list_jobs}[act](int(count))), flush=True)
