import type { PodSnapshot } from '../core/cluster.ts';
import type { JsonObject } from '../core/json.ts';
import { observeEvent, observeJob, observePod } from './observe.ts';

/** A text of the API server without the secrets of ours that it quotes. */
export type Hiding = (text: string) => string;

export const nothingHidden: Hiding = (text) => text;

/** Names, labels and reasons are compared and stay; messages are what people read. */
const spoken = <T extends { readonly message: string }>(said: T, hide: Hiding): T =>
  said.message === '' ? said : { ...said, message: hide(said.message) };

const podWithout = (pod: PodSnapshot, hide: Hiding): PodSnapshot => ({
  ...spoken(pod, hide),
  containers: pod.containers.map((container) => spoken(container, hide)),
  conditions: pod.conditions.map((condition) => spoken(condition, hide)),
});

/** How an object of the API server is read; null is one that cannot be. */
export type Observe<T> = (raw: JsonObject) => T | null;

const hiding =
  <T>(observe: Observe<T>, without: (seen: T, hide: Hiding) => T, hide: Hiding): Observe<T> =>
  (raw) => {
    const seen = observe(raw);
    return seen === null ? null : without(seen, hide);
  };

/** How objects are read without the secrets that their messages quote. */
export const observers = (hide: Hiding) => ({
  job: hiding(observeJob, spoken, hide),
  pod: hiding(observePod, podWithout, hide),
  event: hiding(observeEvent, spoken, hide),
});
