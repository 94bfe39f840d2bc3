import { inspect } from 'node:util';

/** A value that refuses to print itself: in a template, in JSON, in the inspector it is `[secret]`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The one way to the value. Call it where a header or a request body is built, nowhere else. */
  reveal(): string {
    return this.#value;
  }

  equals(other: Secret): boolean {
    return this.#value === other.#value;
  }

  /** A text of others without the value, in case they repeat what they were sent: bare, in base64 or as in a URL. */
  hiddenIn(text: string): string {
    const forms = [this.#value, Buffer.from(this.#value).toString('base64'), encodeURIComponent(this.#value)];
    return forms.reduce((kept, form) => (form === '' ? kept : kept.replaceAll(form, '[secret]')), text);
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
