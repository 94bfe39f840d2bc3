/** What a name may look like, in the words of apimachinery's util/validation (kubernetes 1.35). Null: nothing is wrong. */

const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/u;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/u;
const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u;
const environmentName = /^[ -<>-~]+$/u;

const tooLong = (most: number): string => `must be no more than ${most} bytes`;

export function subdomainProblem(name: string): string | null {
  if (name.length > 253) return tooLong(253);
  if (dnsSubdomain.test(name)) return null;
  return (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start " +
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
  );
}

export function dnsLabelProblem(name: string): string | null {
  if (name.length > 63) return tooLong(63);
  if (dnsLabel.test(name)) return null;
  return (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end " +
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
  );
}

export function labelKeyProblem(key: string): string | null {
  const parts = key.split('/');
  if (parts.length > 2) return 'a qualified name must consist of a name and an optional DNS subdomain prefix';
  const [first = '', second] = parts;
  if (second === undefined) return namePartProblem(first);
  const prefixProblem = subdomainProblem(first);
  return prefixProblem === null ? namePartProblem(second) : `prefix part ${prefixProblem}`;
}

function namePartProblem(name: string): string | null {
  if (name.length > 63) return `name part ${tooLong(63)}`;
  if (qualifiedName.test(name)) return null;
  return (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " +
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
  );
}

export function labelValueProblem(value: string): string | null {
  if (value.length > 63) return tooLong(63);
  if (labelValue.test(value)) return null;
  return (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and " +
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
  );
}

export function environmentNameProblem(name: string): string | null {
  if (environmentName.test(name)) return null;
  return "a valid environment variable name must consist only of printable ASCII characters other than '='";
}
