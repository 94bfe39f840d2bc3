/** Readings of one minute, by metric. */
export type Readings = ReadonlyMap<string, readonly number[]>;

interface Dimension {
  readonly Name: string;
  /** A text, or a resource of the stack. */
  readonly Value: unknown;
}

interface Source {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions: readonly Dimension[];
}

/** The properties of an `AWS::CloudWatch::Alarm` on one metric. */
export interface Alarm extends Source {
  readonly Statistic: keyof typeof statistics;
  readonly Period: number;
  readonly EvaluationPeriods: number;
  readonly DatapointsToAlarm: number;
  readonly ComparisonOperator: keyof typeof comparisons;
  readonly Threshold: number;
  readonly TreatMissingData: 'breaching' | 'notBreaching';
}

const statistics = {
  Sum: (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0),
  Maximum: (values: readonly number[]) => Math.max(...values),
  Minimum: (values: readonly number[]) => Math.min(...values),
};

const comparisons = {
  GreaterThanThreshold: (value: number, threshold: number) => value > threshold,
  GreaterThanOrEqualToThreshold: (value: number, threshold: number) => value >= threshold,
  LessThanThreshold: (value: number, threshold: number) => value < threshold,
};

/** The one name of a metric, whatever the order of its dimensions. */
export const metricOf = (namespace: string, name: string, dimensions: Readonly<Record<string, string>>): string =>
  `${namespace} ${name} ${JSON.stringify(Object.entries(dimensions).toSorted(([a], [b]) => a.localeCompare(b)))}`;

/** A resource is called by its logical name. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const { Ref, 'Fn::GetAtt': attribute } = value as { Ref?: string; 'Fn::GetAtt'?: readonly string[] };
  return Ref ?? String(attribute?.[0]);
}

/** The metric that an alarm looks at. */
export const metricOfAlarm = ({ Namespace, MetricName, Dimensions }: Alarm): string =>
  metricOf(Namespace, MetricName, Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, textOf(Value)])));

/** Whether an alarm is raised after these minutes, the last one last; before the first there was nothing. */
export function isRaised(alarm: Alarm, minutes: readonly Readings[]): boolean {
  const metric = metricOfAlarm(alarm);
  const stat = statistics[alarm.Statistic];
  const size = alarm.Period / 60;
  const breaches = Array.from({ length: alarm.EvaluationPeriods }, (_, ago) => {
    const end = minutes.length - ago * size;
    const values = minutes.slice(Math.max(0, end - size), Math.max(0, end)).flatMap((one) => one.get(metric) ?? []);
    if (values.length === 0) return alarm.TreatMissingData === 'breaching';
    return comparisons[alarm.ComparisonOperator](stat(values), alarm.Threshold);
  });
  return breaches.filter(Boolean).length >= alarm.DatapointsToAlarm;
}

interface Embedded {
  readonly CloudWatchMetrics: readonly {
    readonly Namespace: string;
    readonly Dimensions: readonly (readonly string[])[];
    readonly Metrics: readonly { readonly Name: string }[];
  }[];
}

/** The metrics in log lines, as CloudWatch takes them out (embedded metric format). */
export function metricsIn(lines: readonly string[]): Readings {
  const found = lines.flatMap((text) => {
    const line = JSON.parse(text) as Record<string, unknown> & { readonly _aws?: Embedded };
    return (line._aws?.CloudWatchMetrics ?? []).flatMap(({ Namespace, Dimensions, Metrics }) =>
      Dimensions.flatMap((names) => {
        const dimensions = Object.fromEntries(names.map((name) => [name, String(line[name])]));
        return Metrics.map(({ Name }) => ({
          metric: metricOf(Namespace, Name, dimensions),
          values: [line[Name]].flat().map(Number),
        }));
      }),
    );
  });
  const groups = Map.groupBy(found, ({ metric }) => metric);
  return new Map([...groups].map(([metric, group]) => [metric, group.flatMap(({ values }) => values)]));
}
