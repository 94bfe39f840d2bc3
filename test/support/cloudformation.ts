import { readFileSync } from 'node:fs';

interface Resource {
  readonly Type: string;
  readonly DeletionPolicy?: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

/** What `serverless package` wrote, as far as the tests look at it. */
export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, unknown>>;
}

/** The properties of a resource; an error names the ones that are there when it is not. */
export function propertiesOf(template: Template, name: string): Readonly<Record<string, unknown>> {
  const resource = template.Resources[name];
  if (resource === undefined) throw new Error(`${name} is not among ${Object.keys(template.Resources).join(', ')}`);
  return resource.Properties;
}

/** Names of the resources of one CloudFormation type. */
export function namesOfType(template: Template, type: string): readonly string[] {
  return Object.entries(template.Resources).flatMap(([name, resource]) => (resource.Type === type ? [name] : []));
}

function namesInText(text: string): readonly string[] {
  return [...text.matchAll(/\$\{([A-Za-z0-9:]+)(?:\.[^}]+)?\}/gu)].map((match) => match[1] ?? '');
}

function namesIn(key: string, value: unknown): readonly string[] {
  if (key === 'Ref' && typeof value === 'string') return [value];
  if (key === 'Fn::GetAtt' && Array.isArray(value)) return [String(value[0])];
  if (key === 'Fn::Sub' && typeof value === 'string') return namesInText(value);
  if (key === 'DependsOn') return [value].flat().map(String);
  return referencesIn(value);
}

/** Every logical name that a piece of a template refers to, pseudo parameters left out. */
export function referencesIn(piece: unknown): readonly string[] {
  if (typeof piece !== 'object' || piece === null) return [];
  const names = Object.entries(piece).flatMap(([key, value]) => namesIn(key, value));
  return names.filter((name) => !name.startsWith('AWS::'));
}

/** A way round through the references of the resources, or null. CloudFormation refuses such a template. */
export function cycleIn({ Resources }: Template): readonly string[] | null {
  const done = new Set<string>();
  const walk = (name: string, path: readonly string[]): readonly string[] | null => {
    if (path.includes(name)) return [...path, name];
    if (done.has(name)) return null;
    const cycles = referencesIn(Resources[name]).map((next) => walk(next, [...path, name]));
    done.add(name);
    return cycles.find((cycle) => cycle !== null) ?? null;
  };
  return (
    Object.keys(Resources)
      .map((name) => walk(name, []))
      .find((cycle) => cycle !== null) ?? null
  );
}

/** Names of the files in a zip archive, from its central directory (PKWARE APPNOTE 4.3.12). */
export function filesInZip(file: string): readonly string[] {
  const bytes = readFileSync(file);
  const names: string[] = [];
  const signature = Buffer.from([0x50, 0x4b, 0x01, 0x02]);
  for (let at = bytes.indexOf(signature); at !== -1; at = bytes.indexOf(signature, at + 46)) {
    const length = bytes.readUInt16LE(at + 28);
    names.push(bytes.toString('utf8', at + 46, at + 46 + length));
  }
  return names.toSorted();
}
