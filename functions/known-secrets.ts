import { Secret } from './secret.ts';
import type { Source } from './source.ts';

/** A shorter value of an operator, such as a switch or a number, stands in too many texts by chance (SECURITY.md). */
const shortestValue = 8;

/**
 * The secrets that a Job of ours may carry in plain sight: whoever refuses it, warns of it or runs it may repeat them. One for
 * each container; a token that was rotated stays known, because Jobs that carry it may still be there.
 */
export class KnownSecrets {
  readonly #secrets: Secret[] = [];

  /** `environment` is what the operator gives to every flow: of its values, those long enough to be a secret. */
  constructor(environment: Readonly<Record<string, string>>) {
    for (const value of Object.values(environment)) if (value.length >= shortestValue) this.learn(new Secret(value));
  }

  learn(secret: Secret): void {
    if (secret.length === 0 || this.#secrets.some((known) => known.equals(secret))) return;
    this.#secrets.push(secret);
    // The longest first: of one that begins with another the rest would stay behind.
    this.#secrets.sort((one, other) => other.length - one.length);
  }

  /** The same source; what comes from it is known from then on. */
  learnedFrom(source: Source<Secret | null>): Source<Secret | null> {
    const learned = (secret: Secret | null): Secret | null => {
      if (secret !== null) this.learn(secret);
      return secret;
    };
    return {
      current: async () => learned(await source.current()),
      refresh: async () => learned(await source.refresh()),
    };
  }

  /** A text of others without the values of these secrets. */
  hiddenIn(text: string): string {
    return text === '' ? text : this.#secrets.reduce((kept, secret) => secret.valueHiddenIn(kept), text);
  }
}
