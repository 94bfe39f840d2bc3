import { inspect } from 'node:util';

import { hidden, withoutCredentials, withoutSpellings } from './redaction.ts';
import { spellings } from './spellings.ts';

/**
 * Whether a text may be a token: it has to go into an HTTP header, which carries no line break and no control character
 * (RFC 9110, 5.5), and bytes beyond ASCII as every server likes.
 */
export const isTokenText = (text: string): boolean => /^[\u0020-\u007e]+$/u.test(text);

/** What is wrong with one that may not. */
export const notATokenText = 'holds a line break, or another character that no HTTP header carries';

/** A value that refuses to print itself: in a template, in JSON, in the inspector it is `[secret]`. */
export class Secret {
  readonly #value: string;
  /** Made when they are first needed, and once: each answer to a write is looked through for them. */
  #spellings: readonly string[] | null = null;

  constructor(value: string) {
    this.#value = value;
  }

  /** The one way to the value. Call it where a header or a request body is built, nowhere else. */
  reveal(): string {
    return this.#value;
  }

  get length(): number {
    return this.#value.length;
  }

  equals(other: Secret): boolean {
    return this.#value === other.#value;
  }

  /** A text of others without the value, in case they repeat what they were sent, and without what looks like one. */
  hiddenIn(text: string): string {
    return withoutCredentials(this.valueHiddenIn(text));
  }

  /** A text of others without the value alone. */
  valueHiddenIn(text: string): string {
    this.#spellings ??= spellings(this.#value);
    return withoutSpellings(text, this.#spellings);
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  [inspect.custom](): string {
    return hidden;
  }
}
