import type { KubeObject } from './objects.ts';
import type { Resource } from './resources.ts';
import { badRequest } from './status.ts';
import { labelKeyProblem, labelValueProblem } from './names.ts';

export type Matches = (object: KubeObject) => boolean;

type Labels = Readonly<Record<string, string>>;

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

const has = (labels: Labels, key: string): boolean => Object.hasOwn(labels, key);

const wholeNumber = (text: string | undefined): number => Number.parseInt(text ?? '', 10);

/** What each operator asks of an object's labels (apimachinery labels/selector.go). Absent labels satisfy `!=` and `notin`. */
const operators: Readonly<Record<string, (labels: Labels, requirement: Requirement) => boolean>> = {
  exists: (labels, { key }) => has(labels, key),
  '!': (labels, { key }) => !has(labels, key),
  '=': (labels, { key, values }) => has(labels, key) && labels[key] === values[0],
  '==': (labels, { key, values }) => has(labels, key) && labels[key] === values[0],
  '!=': (labels, { key, values }) => !has(labels, key) || labels[key] !== values[0],
  in: (labels, { key, values }) => has(labels, key) && values.includes(labels[key] ?? ''),
  notin: (labels, { key, values }) => !has(labels, key) || !values.includes(labels[key] ?? ''),
  '>': (labels, { key, values }) => wholeNumber(labels[key]) > wholeNumber(values[0]),
  '<': (labels, { key, values }) => wholeNumber(labels[key]) < wholeNumber(values[0]),
};

const tokenPattern = /\s*(==|!=|[=!,()<>]|[^\s=!,()<>]+)/guy;

function tokensOf(text: string): string[] {
  return [...text.matchAll(tokenPattern)].map((match) => match[1] ?? '');
}

const isWord = (token: string | undefined): token is string => token !== undefined && !/^[=!,()<>]+$/u.test(token);

/** Reads a label selector from left to right. The refusals are the ones that clients run into, in the server's words. */
class SelectorReader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  readAll(): Requirement[] {
    const requirements: Requirement[] = [];
    while (this.#at < this.#tokens.length) {
      requirements.push(this.#requirement());
      this.#separator();
    }
    return requirements;
  }

  #next(): string | undefined {
    this.#at += 1;
    return this.#tokens[this.#at - 1];
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #separator(): void {
    if (this.#peek() === undefined) return;
    const found = this.#next();
    if (found !== ',') throw badRequest(`found '${found}', expected: ',' or 'end of string'`);
    if (this.#peek() === undefined) throw badRequest("found '', expected: identifier after ','");
  }

  #requirement(): Requirement {
    const first = this.#next();
    if (first === '!') return this.#checked({ key: this.#word(), operator: '!', values: [] });
    if (!isWord(first)) throw badRequest(`found '${first}', expected: !, identifier, or 'end of string'`);
    const operator = this.#peek();
    if (operator === undefined || operator === ',')
      return this.#checked({ key: first, operator: 'exists', values: [] });
    this.#at += 1;
    return this.#checked({ key: first, operator, values: this.#values(operator) });
  }

  #word(): string {
    const word = this.#next();
    if (!isWord(word)) throw badRequest(`unable to parse requirement: found '${word ?? ''}', expected: identifier`);
    return word;
  }

  #values(operator: string): string[] {
    if (operator === 'in' || operator === 'notin') return this.#set();
    if (operators[operator] === undefined || operator === '!') {
      throw badRequest(`unable to parse requirement: found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
    }
    return isWord(this.#peek()) ? [this.#next() ?? ''] : [''];
  }

  #set(): string[] {
    const open = this.#next();
    if (open !== '(') throw badRequest(`unable to parse requirement: found '${open ?? ''}' expected: '('`);
    const values: string[] = [];
    for (let token = this.#next(); token !== ')'; token = this.#next()) {
      if (token === undefined) throw badRequest("unable to parse requirement: found '', expected: ',' or ')'");
      if (token !== ',') values.push(token);
    }
    return values.length === 0 ? [''] : values;
  }

  #checked(requirement: Requirement): Requirement {
    const problem = labelKeyProblem(requirement.key);
    if (problem !== null) {
      throw badRequest(`unable to parse requirement: <nil>: Invalid value: "${requirement.key}": ${problem}`);
    }
    requirement.values.forEach((value, index) => {
      const wrong = labelValueProblem(value);
      if (wrong === null) return;
      throw badRequest(
        `unable to parse requirement: values[${index}][${requirement.key}]: Invalid value: "${value}": ${wrong}`,
      );
    });
    return requirement;
  }
}

/** Reads a label selector (`a=b,c in (d,e),!f`); throws StatusError 400 when it cannot be read. */
export function labelSelector(text: string): Matches {
  const requirements = new SelectorReader(text).readAll();
  return ({ metadata }) =>
    requirements.every((requirement) => operators[requirement.operator]?.(metadata.labels ?? {}, requirement) ?? false);
}

/** Reads a field selector (`status.phase!=Succeeded,metadata.name=x`) for a resource; throws StatusError 400. */
export function fieldSelector(text: string, resource: Resource): Matches {
  const terms = text.split(',').filter((term) => term !== '');
  const matchers = terms.map((term) => fieldTerm(term, resource));
  return (object) => matchers.every((matches) => matches(object));
}

function fieldTerm(term: string, resource: Resource): Matches {
  const [, field, operator, value = ''] = /^(.*?)(==|!=|=)(.*)$/u.exec(term) ?? [];
  if (field === undefined) {
    throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
  }
  const read = fieldReader(field, resource);
  return operator === '!=' ? (object) => read(object) !== value : (object) => read(object) === value;
}

function fieldReader(field: string, resource: Resource): (object: KubeObject) => string {
  if (field === 'metadata.name') return ({ metadata }) => metadata.name;
  if (field === 'metadata.namespace') return ({ metadata }) => metadata.namespace ?? '';
  const read = resource.fields[field];
  if (read === undefined) throw badRequest(resource.unknownField(field));
  return read;
}
