import type { Json } from '../../../../functions/core/json.ts';
import type { PeerCase } from './case.ts';
import type { Verdict } from './verdict.ts';
import { featuresOf, wantedFeatures, wantedRefusals } from './features.ts';

/** Profiles are ours alone: the peer has none to compare. */
const layers = [
  'built-in template',
  'operator template',
  'flow template',
  'storage image',
  'run config',
  'agent options',
  'ours',
];

/** What must have been met at least once, or the comparison has a blind spot. */
const wanted: readonly string[] = [
  ...wantedFeatures,
  ...wantedRefusals.map((feature) => `not the same Job: ${feature}`),
  ...layers.map((layer) => `layer: ${layer}`),
  ...['same-job', 'both-refuse', 'different-on-purpose'].map((kind) => `verdict: ${kind}`),
];

const leavesOf = (value: Json): number =>
  typeof value === 'object' && value !== null
    ? Object.values(value).reduce<number>((sum, child) => sum + leavesOf(child), 0)
    : 1;

/** Counts what the compared cases were about, and how many fields each layer set. */
export class Coverage {
  readonly #cases = new Map<string, number>(wanted.map((name) => [name, 0]));
  readonly #fieldsOfLayer = new Map<string, number>();
  #total = 0;
  #fields = 0;

  add(one: PeerCase, verdict: Verdict): void {
    this.#total += 1;
    const isCompared = verdict.kind === 'same-job';
    for (const feature of featuresOf(one)) this.#count(isCompared ? feature : `not the same Job: ${feature}`);
    this.#count(`verdict: ${verdict.kind}`);
    if (!isCompared) return;
    this.#fields += leavesOf(verdict.peer);
    const set = [...verdict.ours.provenance.values()];
    for (const layer of set) this.#fieldsOfLayer.set(layer, (this.#fieldsOfLayer.get(layer) ?? 0) + 1);
    for (const layer of new Set(set)) this.#count(`layer: ${layer}`);
  }

  /** What was never met. */
  get blindSpots(): readonly string[] {
    return wanted.filter((name) => this.#cases.get(name) === 0);
  }

  /** A line with the totals, and one per wanted feature with how many cases had it. */
  get report(): string {
    const lines = wanted.map((name) => `${String(this.#cases.get(name)).padStart(6)}  ${name}${this.#fieldsBy(name)}`);
    const compared = this.#cases.get('verdict: same-job');
    const head = `${this.#fields} fields of ${compared} Jobs compared, in ${this.#total} cases; how many were about what:`;
    return [head, ...lines].join('\n');
  }

  #fieldsBy(name: string): string {
    const fields = this.#fieldsOfLayer.get(name.replace('layer: ', ''));
    return fields === undefined ? '' : ` (${fields} fields)`;
  }

  #count(name: string): void {
    this.#cases.set(name, (this.#cases.get(name) ?? 0) + 1);
  }
}
