import { readFileSync } from 'node:fs';
import path from 'node:path';

import { parse } from 'yaml';

import type { Template } from './cloudformation.ts';

const infra = path.join(import.meta.dirname, '../../infra');

/** Variables of Serverless that these files use, as a stack without params but these has them. */
const values: Readonly<Record<string, string>> = {
  'self:custom.stack': 'prefect-serverless-agent-dev',
  'self:custom.periodSeconds': '60',
  'param:stackId, self:custom.stackId': 'flows-test',
  'file(infra/levels.cjs):slowMs': '40000',
  'param:alarmTopicArn': 'arn:aws:sns:eu-west-1:111122223333:pager',
};

/** Those of CloudFormation stay. */
function valueOf(whole: string, name: string): string {
  if (!/^(?:self|param|file)[:(]/u.test(name)) return whole;
  const value = values[name] ?? (name.startsWith('file(infra/alarms.yml):topic') ? '[]' : undefined);
  if (value === undefined) throw new Error(`${whole} has no value here`);
  return value;
}

/** The resources of one of the files about watching, as they are packaged. */
export function resourcesOf(file: 'alarms' | 'dashboard' | 'queries'): Template['Resources'] {
  const text = readFileSync(path.join(infra, `${file}.yml`), 'utf8');
  const resolved = text.replaceAll(/\$\{((?:[^{}]|\{[^{}]*\})*(?:\$\{[^{}]*\}[^{}]*)*)\}/gu, valueOf);
  const parsed = parse(resolved, { merge: true }) as Record<string, { true: { Resources: Template['Resources'] } }>;
  return parsed[file]?.true.Resources ?? {};
}
