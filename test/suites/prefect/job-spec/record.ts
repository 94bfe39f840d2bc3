import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import fc from 'fast-check';

import type { Json } from '../../../../functions/core/json.ts';
import { ensurePrefectPython } from '../../../support/python.ts';
import { peerCase } from './arbitraries.ts';
import type { PeerCase } from './case.ts';
import { startPeer } from './peer.ts';
import { badTemplates } from './template-arbitraries.ts';

const fixture = fileURLToPath(new URL('../../../fixtures/job-spec/pairs.jsonl', import.meta.url));

const plainCase: PeerCase = {
  run: {
    id: '8f14e45f-ceea-467f-ab1c-0d5d5a3e9b11',
    flow: {
      id: 'c9f0f895-fb98-4b91-99f5-1fd297e236d7',
      core_version: '1.4.1',
      storage: { type: 'S3', bucket: 'flows' },
    },
    run_config: null,
  },
  agent: {
    backend: 'server',
    api: 'http://apollo.prefect:4200',
    key: null,
    tenantId: null,
    labels: [],
    env: {},
    loggingLevel: 'INFO',
    sendFlowRunLogs: true,
    serviceAccountName: null,
    imagePullSecrets: null,
    hasTemplate: false,
  },
  files: {},
  keyByReference: false,
};

const withTemplate = (job_template: Json): PeerCase => ({
  ...plainCase,
  run: { ...plainCase.run, run_config: { type: 'KubernetesRun', job_template } },
});

/** Writes the pairs: a plain case, each bad template, and a sample of everything. */
async function record(): Promise<void> {
  await using peer = await startPeer(await ensurePrefectPython());
  const sample = fc.sample(peerCase, { seed: 20_260_301, numRuns: 260 });
  const lines: string[] = [];
  for (const one of [plainCase, ...Object.values(badTemplates).map(withTemplate), ...sample]) {
    lines.push(JSON.stringify({ case: one, answer: await peer.ask(one) }));
  }
  await writeFile(fixture, `${lines.join('\n')}\n`);
  process.stdout.write(`${lines.length} pairs written\n`);
}

await record();
