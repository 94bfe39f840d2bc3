/** Messages in the order in which they came; whoever takes one waits until there is one. */
export class Mailbox<T> {
  readonly #waiting: T[] = [];
  #taker: ((item: T) => void) | null = null;

  put(item: T): void {
    const taker = this.#taker;
    this.#taker = null;
    if (taker === null) this.#waiting.push(item);
    else taker(item);
  }

  async take(): Promise<T> {
    const [item] = this.#waiting.splice(0, 1);
    if (item !== undefined) return item;
    return new Promise((resolve) => {
      this.#taker = resolve;
    });
  }
}
