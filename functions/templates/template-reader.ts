import type { AwsCredentials } from '../aws/eks-token.ts';
import { signedObjectGet } from '../aws/s3-object.ts';
import type { Clock } from '../clock.ts';
import { readBundledFile } from './bundled-file.ts';
import { guardedGet, type GetResult, type Wire } from './guarded-get.ts';
import { isAllowed, nameOfPlace, parsePlace, type Place, type RemotePlace } from './place.ts';

/** Where templates come from, and with what. */
export interface TemplateReaderOptions {
  /** Allowed prefixes for places that a flow author chose. */
  readonly sources: readonly string[];
  /** The folder that is deployed with the functions. */
  readonly folder: string;
  /** Null: the region is not known, and no object of S3 can be read. */
  readonly region: string | null;
  /** The operator's own S3 endpoint; null: the region's. */
  readonly s3Endpoint: string | null;
  readonly credentials: () => Promise<AwsCredentials>;
  readonly wire: Wire;
  readonly clock: Clock;
}

/** A template's text, or one sentence that says what is wrong with the place it should come from. */
export type TemplateText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'refused'; readonly rule: string; readonly message: string };

/** Reads templates for operator and authors. Never throws. */
export interface TemplateReader {
  /** A place that the operator configured: the bundle, or any object of S3. */
  readOperators(path: string, signal: AbortSignal): Promise<TemplateText>;
  /** A flow's `job_template_path`: the bundle, or what the allow-list covers. */
  readAuthors(path: string, signal: AbortSignal): Promise<TemplateText>;
}

const refused = (rule: string, message: string): TemplateText => ({ kind: 'refused', rule, message });

/** Paths are untrusted text: a long one is cut, so that the sentence around it stays readable. */
const shown = (text: string): string => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);

class Reader implements TemplateReader {
  readonly #options: TemplateReaderOptions;

  constructor(options: TemplateReaderOptions) {
    this.#options = options;
  }

  async readOperators(path: string, signal: AbortSignal): Promise<TemplateText> {
    const parsed = parsePlace(path);
    if (parsed.kind === 'refused') return this.#malformed(path, parsed.problem);
    const { place } = parsed;
    if (place.kind === 'bundle' || place.scheme === 's3') return this.#read(place, signal);
    return this.#notAllowed(place, 'the operator’s templates come from the bundle or from S3');
  }

  async readAuthors(path: string, signal: AbortSignal): Promise<TemplateText> {
    const parsed = parsePlace(path);
    if (parsed.kind === 'refused') return this.#malformed(path, parsed.problem);
    const { place } = parsed;
    if (place.kind === 'bundle' || isAllowed(place, this.#options.sources)) return this.#read(place, signal);
    return this.#notAllowed(place, 'this stack does not allow it; its operator can add it to TEMPLATE_SOURCES');
  }

  #malformed(path: string, problem: string): TemplateText {
    const withoutQuery = path.replace(/\?.*$/su, '');
    return refused('template-path-malformed', `The job template path ${shown(withoutQuery)} ${problem}.`);
  }

  #notAllowed(place: Place, why: string): TemplateText {
    return refused('template-source-not-allowed', `No job template is read from ${shown(nameOfPlace(place))}: ${why}.`);
  }

  async #read(place: Place, signal: AbortSignal): Promise<TemplateText> {
    const { folder } = this.#options;
    const result = place.kind === 'bundle' ? await readBundledFile(folder, place.path) : await this.#get(place, signal);
    if (result.kind === 'body') return { kind: 'text', text: result.text };
    return refused(result.rule, `The job template ${shown(nameOfPlace(place))} cannot be read: ${result.problem}.`);
  }

  async #get(place: RemotePlace, signal: AbortSignal): Promise<GetResult> {
    const { wire, clock } = this.#options;
    if (place.scheme === 's3') return this.#getObject(place, signal);
    // Without a Google identity only public objects answer.
    const url = place.scheme === 'gs' ? publicObjectOf(place) : place.url;
    return guardedGet({ url, wire, clock, signal });
  }

  async #getObject({ host: bucket, path }: RemotePlace, signal: AbortSignal): Promise<GetResult> {
    const { region, s3Endpoint: endpoint, credentials, wire, clock } = this.#options;
    const found = await credentials().catch(() => null);
    if (region === null || found === null) {
      return { kind: 'refused', rule: 'template-unreachable', problem: 'there are no AWS credentials or no region' };
    }
    const now = clock.now();
    const key = path.slice(1);
    const get = await signedObjectGet({ bucket, key, region, endpoint, credentials: found, now });
    const mayBePrivate = endpoint !== null;
    return guardedGet({ ...get, mayBePrivate, wire, clock, signal });
  }
}

function publicObjectOf({ host, path }: RemotePlace): URL {
  const key = path.slice(1).split('/').map(encodeURIComponent).join('/');
  return new URL(`https://storage.googleapis.com/${host}/${key}`);
}

export function connectTemplates(options: TemplateReaderOptions): TemplateReader {
  return new Reader(options);
}
