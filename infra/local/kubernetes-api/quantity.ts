const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** The number behind a Kubernetes quantity (`500m`, `1Gi`, `2`, `1e3`); NaN when it is none. */
export function quantityValue(quantity: string | number): number {
  if (typeof quantity === 'number') return quantity;
  const [, digits = '', suffix = ''] = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)$/u.exec(quantity) ?? [];
  return Number.parseFloat(digits) * (factors[suffix] ?? Number.NaN);
}

const binarySuffixes = ['Pi', 'Ti', 'Gi', 'Mi', 'Ki'] as const;

/** A number of bytes, cores or objects as Kubernetes writes it: bytes in the largest unit that divides them. */
export function quantityText(value: number, resource: string): string {
  if (!Number.isInteger(value)) return `${Math.round(value * 1000)}m`;
  if (value === 0 || !resource.endsWith('memory')) return String(value);
  const suffix = binarySuffixes.find((one) => value % (factors[one] ?? Infinity) === 0);
  return suffix === undefined ? String(value) : `${value / (factors[suffix] ?? 1)}${suffix}`;
}
