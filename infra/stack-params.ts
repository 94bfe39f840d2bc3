import { bad, good, parseBoolean, parseChoice, parseWhole, type Parsed } from '../functions/config-values.ts';
import { functionLimitMs } from '../functions/limits.ts';
import { paramOf, variables } from '../functions/variables.ts';

/** A param of `serverless deploy` that shapes the stack and that the functions never see. */
export interface StackParam {
  readonly name: string;
  /** As serverless.yml has it; null: unset. */
  readonly fallback: string | null;
  /** What the README says in the default column of a param without a fallback. */
  readonly shown?: string;
  readonly meaning: string;
  readonly parse: (text: string) => Parsed<unknown>;
}

const arnOf =
  (service: string) =>
  (text: string): Parsed<string> =>
    new RegExp(`^arn:aws[a-z-]*:${service}:\\S+$`, 'u').test(text)
      ? good(text)
      : bad(`must be an ARN that begins with arn:aws:${service}:`);

const idsOf =
  (prefix: string) =>
  (text: string): Parsed<readonly string[]> => {
    const ids = text.split(',');
    return ids.every((id) => new RegExp(`^${prefix}-[0-9a-z]+$`, 'u').test(id))
      ? good(ids)
      : bad(`must look like ${prefix}-1,${prefix}-2, without spaces`);
  };

/** What AWS takes (PutRetentionPolicy) and osls passes on; in days. */
const retentions = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 2192, 2557, 2922, 3288, 3653];

const choice =
  (...choices: readonly string[]) =>
  (text: string): Parsed<string> =>
    parseChoice(text, choices);

const whole =
  (from: number, to: number) =>
  (text: string): Parsed<number> =>
    parseWhole(text, { from, to });

/** In less than this nothing is claimed. */
const shortestSeconds = 20;

/** No tick uses more than this; the quiet age of the protocol counts on it. */
export const longestSeconds = functionLimitMs / 1000;

/** Every param that is no variable of the functions, in the order of the README. */
export const stackParams = [
  {
    name: 'network',
    fallback: 'public',
    meaning: '`private` puts the functions into the VPC of `subnetIds` and `securityGroupIds`',
    parse: choice('public', 'private'),
  },
  { name: 'subnetIds', fallback: null, meaning: 'comma-separated, for `network=private`', parse: idsOf('subnet') },
  { name: 'securityGroupIds', fallback: null, meaning: 'comma-separated, for `network=private`', parse: idsOf('sg') },
  {
    name: 'manageAccessEntry',
    fallback: 'true',
    meaning: '`false` where aws-auth or another tool maps the two roles to the group `prefect-serverless-agent`',
    parse: parseBoolean,
  },
  {
    name: 'templateObjects',
    fallback: null,
    meaning: 'ARN of the objects that `s3://` templates come from: `arn:aws:s3:::bucket/folder/*`',
    parse: arnOf('s3'),
  },
  {
    name: 'scheduleEnabled',
    fallback: 'true',
    meaning: '`false` stops both functions, and takes the alarms away',
    parse: parseBoolean,
  },
  {
    name: 'alarmTopicArn',
    fallback: null,
    meaning: 'SNS topic that is told when an alarm begins and when it is over ([runbook](infra/guides/runbook.md))',
    parse: arnOf('sns'),
  },
  {
    name: 'dashboard',
    fallback: 'true',
    meaning: '`false` leaves the CloudWatch dashboard out',
    parse: parseBoolean,
  },
  {
    name: 'savedQueries',
    fallback: 'true',
    meaning: '`false` leaves the saved queries of Logs Insights out',
    parse: parseBoolean,
  },
  {
    name: 'scheduleMinutes',
    fallback: '1',
    meaning: 'period of both functions: 1, 2 or 5',
    parse: choice('1', '2', '5'),
  },
  {
    name: 'timeout',
    fallback: '50',
    meaning: 'time limit in seconds, 20 to 50, below the period',
    parse: whole(shortestSeconds, 900),
  },
  { name: 'memorySize', fallback: '512', meaning: 'MB, 256 to 10240', parse: whole(256, 10_240) },
  {
    name: 'reservedConcurrency',
    fallback: '1',
    meaning: '1 keeps ticks from overlapping; 2; or `none` where the account has no concurrency to reserve',
    parse: choice('1', '2', 'none'),
  },
  {
    name: 'kmsKeyArn',
    fallback: null,
    shown: "AWS's keys",
    meaning: 'key for the secret and the logs; its policy has to admit `logs.<region>.amazonaws.com`',
    parse: arnOf('kms'),
  },
  {
    name: 'logRetention',
    fallback: '30',
    meaning: 'days, one of those that CloudWatch Logs knows',
    parse: (text: string): Parsed<number> =>
      retentions.includes(Number(text)) ? good(Number(text)) : bad(`must be one of ${retentions.join(', ')}`),
  },
] as const satisfies readonly StackParam[];

export { paramOf };

/** Every param there is. */
export const paramNames: readonly string[] = [
  ...variables.flatMap(({ name }) => paramOf(name) ?? []),
  ...stackParams.map(({ name }) => name),
];
