/** What a test file gets in place of `node:test` where its tests are to be played one by one, by somebody else. */

export interface GatheredTest {
  readonly name: string;
  readonly play: () => Promise<void>;
}

/** The tests of the files that were loaded with this module, in their order. */
export const gathered: GatheredTest[] = [];

export const describe = (_name: string, body: () => void): void => body();

export function it(name: string, play: GatheredTest['play']): void {
  gathered.push({ name, play });
}
