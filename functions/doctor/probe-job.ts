import type { V1Job, V1PodTemplateSpec } from '@kubernetes/client-node';

/** Marks the Job and pods of one examination; the ticks look at neither. */
export const probeLabel = 'prefect-serverless-agent/doctor';

/** How long Job and pod may last if nobody is there to delete them. */
const deadlineSeconds = 300;
const ttlSeconds = 60;

/**
 * What the pod runs: the request that the Prefect client of a flow begins with (prefect 1.4.1, client/client.py), with
 * the address and the key of its environment, and nothing but Python's own library, so that any image of Prefect 1.x
 * will do. Its last line is for the reader; it holds neither key nor answer.
 */
function probeScript(backend: 'server' | 'cloud'): string {
  const query = backend === 'cloud' ? 'query { auth_info { tenant_id } }' : 'query { tenant { id } }';
  return `import json, os, sys, urllib.error, urllib.request
url = os.environ["PREFECT__CLOUD__API"]
key = os.environ.get("PREFECT__CLOUD__API_KEY", "")
headers = {"content-type": "application/json"}
if key:
    headers["authorization"] = "Bearer " + key
request = urllib.request.Request(url, json.dumps({"query": ${JSON.stringify(query)}}).encode(), headers)
try:
    with urllib.request.urlopen(request, timeout=20) as answer:
        body = json.loads(answer.read().decode())
    said = "graphql-errors" if body.get("errors") else "ok"
except urllib.error.HTTPError as error:
    said = "status %d" % error.code
except urllib.error.URLError as error:
    said = "unreachable: %s" % error.reason
except ValueError:
    said = "not-json"
except Exception as error:
    said = "unreachable: %s" % type(error).__name__
print("doctor: " + said)
sys.exit(0 if said == "ok" else 1)
`;
}

/** Keys by which agents and this product find Jobs of flow runs: the probe is none. */
const isIdentity = (key: string): boolean => /^(?:prefect\.io|prefect-serverless-agent)\//u.test(key);

function withoutIdentity(pairs: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(pairs ?? {}).filter(([key]) => !isIdentity(key)));
}

interface ProbeIdentity {
  readonly id: string;
  readonly backend: 'server' | 'cloud';
}

/** The pod of a flow run, but for what it runs: same account, key, node, labels for network policies, one container. */
function probePod({ metadata, spec }: V1PodTemplateSpec, { id, backend }: ProbeIdentity): V1PodTemplateSpec {
  const { initContainers: _others, containers, ...rest } = spec ?? { containers: [] };
  const [flow = { name: 'flow' }] = containers;
  const command = ['python', '-c', probeScript(backend)];
  return {
    metadata: {
      annotations: withoutIdentity(metadata?.annotations),
      labels: { ...withoutIdentity(metadata?.labels), [probeLabel]: id },
    },
    spec: {
      ...rest,
      restartPolicy: 'Never',
      containers: [Object.assign({}, flow, { command, args: [] })],
    },
  };
}

/**
 * A Job that calls the Prefect API as pods see it, made from the Job of a flow run. It ends by itself, and carries none
 * of the labels by which reconcile and other agents know Jobs of theirs. Pure.
 */
export function probeJob({ apiVersion, kind, metadata, spec }: V1Job, identity: ProbeIdentity): V1Job {
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    metadata: {
      name: `prefect-doctor-${identity.id}`,
      annotations: withoutIdentity(metadata?.annotations),
      labels: { ...withoutIdentity(metadata?.labels), [probeLabel]: identity.id },
    },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: deadlineSeconds,
      ttlSecondsAfterFinished: ttlSeconds,
      template: probePod(spec?.template ?? {}, identity),
    },
  };
}
