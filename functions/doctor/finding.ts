/**
 * What a hop has to say.
 *
 * - `ok`: it works; `warning`: it works, but somebody ought to know;
 * - `unseen`: our rights do not reach there, and the ticks do not need them to; the way to look is in `doThis`;
 * - `skipped`: there is nothing to look at in this configuration, or nobody asked for it;
 * - `broken`: the functions cannot work, and nothing behind it was looked at.
 */
export type Verdict = 'ok' | 'warning' | 'unseen' | 'skipped' | 'broken';

export interface Finding {
  readonly verdict: Verdict;
  /** What was seen, in a sentence without secrets. */
  readonly saw: string;
  /** Commands or YAML, a line each, that mend it or show what is hidden from here; empty where nothing is to be done. */
  readonly doThis: readonly string[];
}

const finding =
  (verdict: Verdict) =>
  (saw: string, ...doThis: readonly string[]): Finding => ({ verdict, saw, doThis });

export const ok = (saw: string): Finding => ({ verdict: 'ok', saw, doThis: [] });
export const skipped = (saw: string): Finding => ({ verdict: 'skipped', saw, doThis: [] });
export const warning = finding('warning');
export const unseen = finding('unseen');
export const broken = finding('broken');

/** A finding with its hop. */
export interface HopReport extends Finding {
  readonly hop: string;
  readonly why: string;
}

/** What an invocation with the event `{"doctor":true}` returns, and what `npm run doctor -- --json` prints. */
export interface DoctorReport {
  /** No hop is broken. */
  readonly ok: boolean;
  /** Hops in their order, the broken one last. */
  readonly hops: readonly HopReport[];
}
