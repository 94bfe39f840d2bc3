import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { parse } from 'yaml';

import { dashboardText, type Widget } from './dashboard-text.ts';
import { versionOfPackage } from './local/version.ts';

const usage = `Prints the CloudWatch dashboard of the stack as text: each widget with its metrics, functions and statistics.

Usage: npm run --silent dashboard

  --help     this text
  --version  the version
`;

/** What stands in the file for what a deployment knows. */
const values: Readonly<Record<string, string>> = {
  'self:custom.stack': 'prefect-serverless-agent-dev',
  'param:stackId, self:custom.stackId': 'prefect-serverless-agent-dev',
  'self:custom.periodSeconds': '60',
  DispatchLambdaFunction: 'dispatch',
  ReconcileLambdaFunction: 'reconcile',
  DispatchLogGroup: '/aws/lambda/…-dispatch',
  ReconcileLogGroup: '/aws/lambda/…-reconcile',
};

function widgets(): readonly Widget[] {
  const text = readFileSync(new URL('dashboard.yml', import.meta.url), 'utf8');
  const resolved = text.replaceAll(/\$\{([^}]+)\}/gu, (_, name: string) => values[name] ?? name);
  const { dashboard } = parse(resolved) as {
    dashboard: { true: { Resources: { Dashboard: { Properties: { DashboardBody: { 'Fn::Sub': string } } } } } };
  };
  const body = dashboard.true.Resources.Dashboard.Properties.DashboardBody['Fn::Sub'];
  return (JSON.parse(body) as { widgets: readonly Widget[] }).widgets;
}

function run(args: readonly string[]): string {
  const { values: flags } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean', default: false }, version: { type: 'boolean', default: false } },
  });
  if (flags.help) return usage;
  return flags.version ? `${versionOfPackage()}\n` : dashboardText(widgets());
}

try {
  process.stdout.write(run(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)} See --help.\n`);
  process.exitCode = 2;
}
