import type { LocalRequest } from '../../infra/local/http.ts';
import { formsOf } from './secret-forms.ts';

/** Secrets by what they are: one, or all there were of a kind that is made anew. */
export type Canaries = Readonly<Record<string, readonly string[]>>;

/** Everything that left a process, by where it went. */
export class Exhibit {
  readonly #texts = new Map<string, string[]>();

  add(channel: string, text: string): void {
    const texts = this.#texts.get(channel) ?? [];
    texts.push(text);
    this.#texts.set(channel, texts);
  }

  /** A request in its parts: the header in which a credential has to go is a channel of its own. */
  addRequest(to: string, { method, path, headers, body }: LocalRequest): void {
    const credential = to === 'aws' ? 'x-amz-security-token' : 'authorization';
    for (const [name, value] of Object.entries(headers)) {
      this.add(name === credential ? `${credential} to ${to}` : `other headers to ${to}`, `${name}: ${value}`);
    }
    this.add(`addresses to ${to}`, `${method} ${path}`);
    this.add(`bodies to ${to}`, body);
  }

  get channels(): readonly string[] {
    return [...this.#texts.keys()].toSorted();
  }

  /** How many bytes went somewhere. */
  bytesOf(channel: string): number {
    return (this.#texts.get(channel) ?? []).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  }

  /** The same, with something more in one channel. */
  with(channel: string, text: string): Exhibit {
    const copy = new Exhibit();
    for (const [name, texts] of this.#texts) for (const each of texts) copy.add(name, each);
    copy.add(channel, text);
    return copy;
  }

  /** `secret in channel`, for each that stands where it is not allowed to, in any of its forms. */
  spills(canaries: Canaries, allowed: ReadonlySet<string>): readonly string[] {
    return Object.entries(canaries).flatMap(([secret, values]) => {
      const forms = values.flatMap(formsOf);
      const found = this.channels.filter((channel) =>
        (this.#texts.get(channel) ?? []).some((text) => forms.some((form) => text.includes(form))),
      );
      return found.map((channel) => `${secret} in ${channel}`).filter((spill) => !allowed.has(spill));
    });
  }
}
