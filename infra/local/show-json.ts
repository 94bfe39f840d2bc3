import type { RunRow } from './ledger.ts';
import type { Show, Summary } from './show.ts';

const expectationKeys = ({ expect }: RunRow) => ({
  state: expect.state,
  job: expect.job,
  after_ticks: expect.afterTicks,
});

const summaryKeys = (summary: Summary) => ({
  event: 'summary',
  runs: summary.runs,
  expected_mismatches: summary.expectedMismatches,
  jobs_created: summary.jobsCreated,
  duplicate_jobs: summary.duplicateJobs,
  ticks: summary.ticks,
});

/** One JSON object a line: `started`, `seeded` (one a run), `tick`, `run` (one a change), `mismatch`, `summary` last. */
export function showJson(write: (line: string) => void): Show {
  const say = (object: Readonly<Record<string, unknown>>): void => write(`${JSON.stringify(object)}\n`);
  const last = new Map<string, string>();
  const isNew = (row: RunRow): boolean => {
    const text = `${row.state} ${row.job}`;
    const changed = last.get(row.name) !== text;
    last.set(row.name, text);
    return changed;
  };
  return {
    begin: ({ rows, periodMs: _shown, ...where }) => {
      say({ event: 'started', ...where });
      for (const row of rows.filter(isNew)) {
        say({ event: 'seeded', run: row.name, state: row.state, expect: expectationKeys(row) });
      }
    },
    tick: ({ tick, worldMs, tookMs, report }) => {
      const { counts, byRule, byClass, facts, problem } = report;
      const seen = { event: 'tick', function: report.function, tick, world_ms: worldMs, took_ms: tookMs };
      say({ ...seen, counts, by_rule: byRule, by_class: byClass, facts, problem });
    },
    rows: (rows) => {
      for (const { name, state, job, why } of rows.filter(isNew)) say({ event: 'run', run: name, state, job, why });
    },
    end: (summary, rows) => {
      for (const row of rows) {
        if (row.found !== null)
          say({ event: 'mismatch', run: row.name, expect: expectationKeys(row), found: row.found });
      }
      say(summaryKeys(summary));
    },
  };
}
