import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { before, describe, it } from 'node:test';

import type { Json } from '../../../functions/core/json.ts';
import { serverDifferences } from '../../../infra/readme/server-differences.ts';
import { jobsPath, type ContractCluster } from '../../contract/kubernetes.cluster.ts';
import { realCluster } from '../../support/real-cluster.ts';
import { openNamespace } from '../../support/real-namespace.ts';
import { asJson, generatedRuns, hostileCorpus, recordedRuns, type CorpusRun, type Sent } from './job-corpus.ts';
import {
  differenceOf,
  isSameReason,
  isSetByOthers,
  objectionsOf,
  ownRefusalOf,
  withoutHiding,
  type Objection,
} from './server-verdict.ts';

const seed = Number(process.env['PEER_SEED'] ?? 20_260_301);
const numRuns = Number(process.env['PEER_RUNS'] ?? 300);

/** A seed of its own for each run; a failure prints it, and it can be given as PEER_SEED. */
const freshSeed = randomInt(2 ** 31);

type Found =
  | { readonly kind: 'both-take' | 'both-refuse' }
  | { readonly kind: 'different'; readonly names: readonly string[] }
  | { readonly kind: 'contradiction'; readonly why: string };

describe('a real API server, asked for a dry run under strict field validation', () => {
  const met = new Map<string, number>(serverDifferences.map(({ name }) => [name, 0]));
  let cluster: ContractCluster;
  before(async () => {
    cluster = await openNamespace(realCluster(), 'corpus');
  });

  /** All that it has against a Job: a field that it does not know, or another namespace, keeps it from the rest. */
  async function objectionsTo({ body, contentType }: Sent): Promise<readonly Objection[]> {
    const line = `POST ${jobsPath(cluster, '?fieldValidation=Strict&dryRun=All')}`;
    const objections = objectionsOf(await cluster.call(line, { body, contentType }));
    const rest = withoutHiding(body, objections);
    return rest === null ? objections : [...objections, ...(await objectionsTo({ body: rest, contentType }))];
  }

  async function judge({ name, ours, unchecked }: CorpusRun): Promise<Found> {
    if (ours.kind === 'job') {
      const objections = await objectionsTo(asJson(JSON.parse(JSON.stringify(ours.job)) as Json));
      const strange = objections.find(
        (objection) => differenceOf(objection) === null || !isSetByOthers(objection, ours),
      );
      if (strange !== undefined) return { kind: 'contradiction', why: `${name}: only the server refuses: ${strange}` };
      const names = [...new Set(objections.flatMap((objection) => differenceOf(objection) ?? []))];
      return names.length === 0 ? { kind: 'both-take' } : { kind: 'different', names };
    }
    const objections = await objectionsTo(unchecked);
    if (isSameReason(ours, objections)) return { kind: 'both-refuse' };
    const own = ownRefusalOf(ours, unchecked.body);
    return own === null
      ? { kind: 'contradiction', why: `${name}: only we refuse: ${ours.rule}: ${ours.message}` }
      : { kind: 'different', names: [own] };
  }

  async function compare(runs: readonly CorpusRun[]): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    const contradictions: string[] = [];
    for (const run of runs) {
      const found = await judge(run);
      counts.set(found.kind, (counts.get(found.kind) ?? 0) + 1);
      if (found.kind === 'contradiction') contradictions.push(found.why);
      for (const name of found.kind === 'different' ? found.names : []) met.set(name, (met.get(name) ?? 0) + 1);
    }
    assert.deepEqual(contradictions, []);
    return counts;
  }

  const corpora: Readonly<Record<string, () => readonly CorpusRun[] | Promise<readonly CorpusRun[]>>> = {
    'the recorded pairs of the peer': recordedRuns,
    'the hostile runs': hostileCorpus,
    [`${numRuns} runs of a fixed seed (${seed})`]: () => generatedRuns(seed, numRuns),
    [`${numRuns} runs of a fresh seed (${freshSeed})`]: () => generatedRuns(freshSeed, numRuns),
  };
  for (const [name, runsOf] of Object.entries(corpora)) {
    it(`judges as we do, but for the named differences: ${name}`, async () => {
      const counts = await compare(await runsOf());

      process.stdout.write(`${name}: ${JSON.stringify(Object.fromEntries(counts))}\n`);
      assert.ok((counts.get('both-take') ?? 0) > 0, 'no Job that both take');
      assert.ok((counts.get('both-refuse') ?? 0) > 0, 'no Job that both refuse');
    });
  }

  it('has shown every difference of the table', () => {
    process.stdout.write(`${[...met].map(([name, count]) => `${String(count).padStart(6)}  ${name}`).join('\n')}\n`);

    assert.deepEqual(
      [...met].filter(([, count]) => count === 0),
      [],
    );
    assert.equal(met.size, serverDifferences.length, 'a difference that is not in the table');
  });
});
