import { table } from './table.ts';

/** US dollars in us-east-1; where they are from stands in infra/guides/cost.md. */
const prices = {
  lambdaGbSecond: 0.000_013_333_4,
  lambdaRequest: 0.2 / 1e6,
  logGigabyte: 0.5,
  metric: 0.3,
  secret: 0.4,
  secretCall: 0.05 / 1e4,
  natHour: 0.045,
  endpointHour: 0.01,
} as const;

/** What the functions write and ask, held to the bundles by test/infra/cost.test.ts. */
export const usage = {
  /** Bytes of log of an idle tick of both functions. */
  idleTickBytes: 2_900,
  /** Bytes of log for a run that succeeds: claimed by dispatch, cleaned up by reconcile. */
  runBytes: 800,
  /** Metrics by name and function, each billed by itself: in hours without a run, and in hours with some that go well. */
  metrics: { idle: 17, busy: 23 },
} as const;

const hoursAMonth = 730;
const ticksAMonth = hoursAMonth * 60;
const daysAMonth = hoursAMonth / 24;
const gigabytes = 0.5;
/** The token is read again after five minutes, by each function. */
const secretCalls = 2 * 12 * hoursAMonth;

export interface Load {
  readonly name: string;
  readonly runsADay: number;
  /** Assumed time of an invocation of either function. */
  readonly seconds: number;
}

export const loads: readonly Load[] = [
  { name: 'idle', runsADay: 0, seconds: 0.2 },
  { name: '10,000 runs a day', runsADay: 10_000, seconds: 1 },
  { name: '1,000,000 runs a day', runsADay: 1_000_000, seconds: 15 },
];

export interface Bill {
  readonly lambda: number;
  readonly logs: number;
  readonly metrics: number;
  readonly secret: number;
}

/** Dollars a month, without the free tiers. Pure. */
export function billFor({ runsADay, seconds }: Load): Bill {
  const invocations = 2 * ticksAMonth;
  const bytes = ticksAMonth * usage.idleTickBytes + runsADay * daysAMonth * usage.runBytes;
  return {
    lambda: invocations * (seconds * gigabytes * prices.lambdaGbSecond + prices.lambdaRequest),
    logs: (bytes / 1e9) * prices.logGigabyte,
    metrics: usage.metrics[runsADay === 0 ? 'idle' : 'busy'] * prices.metric,
    secret: prices.secret + secretCalls * prices.secretCall,
  };
}

const dollars = (amount: number): string => `$${amount.toFixed(2)}`;

export function costTable(): string {
  const rows = loads.map((load) => {
    const { lambda, logs, metrics, secret } = billFor(load);
    return [
      load.name,
      `${load.seconds} s`,
      ...[lambda, logs, metrics, secret, lambda + logs + metrics + secret].map(dollars),
    ];
  });
  return table(['load', 'invocation (assumed)', 'Lambda', 'logs', 'metrics', 'secret', 'a month'], rows);
}

/** What a private network adds, in two zones. */
export function networkCostTable(): string {
  const endpoints = (count: number): string => dollars(count * 2 * hoursAMonth * prices.endpointHour);
  return table(
    ['way out of the private subnets', 'a month'],
    [
      ['none: `secretArn=none`, and `eksEndpoint` with `eksCa`', dollars(0)],
      ['endpoint `secretsmanager`, and `eksEndpoint` with `eksCa`', endpoints(1)],
      ['endpoints `secretsmanager` and `eks`', endpoints(2)],
      ['a NAT gateway in each zone', dollars(2 * hoursAMonth * prices.natHour)],
    ],
  );
}
