import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { summarise } from '../../functions/core/tick-report.ts';
import { textOfHop } from '../../infra/doctor/print.ts';
import { showLaptopText } from '../../infra/laptop/show.ts';
import { visible } from '../../infra/local/visible.ts';
import { T0 } from '../support/time.ts';

const hostile = 'no\u001B[2J\u001B]0;owned\u0007\u009B31m\r\u202Egnp.exe';
const harmless = /^[^\p{Cc}\p{Bidi_Control}]*$/u;

describe('what others say, in a terminal', () => {
  it('moves no cursor and turns no writing round', () => {
    assert.match(visible(hostile), harmless);
    assert.equal(visible('zwölf\n\tπ, 日本, 🚀 and e\u0301'), 'zwölf\n\tπ, 日本, 🚀 and e\u0301');
  });

  it('is shown so by npm start with --api', () => {
    const written: string[] = [];
    const outcome = { kind: 'refused', rule: 'due', action: 'create-job', runId: 'r', job: 'j', why: hostile } as const;
    const report = summarise('dispatch', [outcome], {
      facts: {},
      problem: { code: 'CLUSTER_REFUSED', message: hostile },
    });

    showLaptopText((text) => written.push(text)).tick({ tick: 1, at: T0, tookMs: 1, report });

    assert.match(written.join('').replaceAll('\n', ''), harmless);
  });

  it('is shown so by the doctor', () => {
    const hop = textOfHop({ hop: 'dry-run-job', verdict: 'broken', saw: hostile, why: 'so', doThis: [hostile] });
    assert.match(hop.replaceAll('\n', ''), harmless);
  });
});
