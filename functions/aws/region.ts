/** A label of a host's name (RFC 1123): what the SDK takes for a region, known or new. */
const label = /^(?!-)[a-z\d-]{1,63}(?<!-)$/iu;

/**
 * The region of the functions. It becomes part of the names of hosts to which AWS signatures go: what could end such a
 * name early and begin another is none.
 */
export function regionOf(env: Readonly<Record<string, string | undefined>>): string | null {
  const region = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || '';
  return label.test(region) ? region : null;
}
