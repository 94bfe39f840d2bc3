import assert from 'node:assert/strict';

import type { Outcome, TickReport } from '../../functions/core/tick-report.ts';
import type { EksLogin, RealCluster } from './real-cluster.ts';
import { openScene, type Scene, type Setting } from './real-scene.ts';

/** Something happens, time passes, and reconcile decides. */
interface Act {
  readonly play?: (scene: Scene) => Promise<void> | void;
  /** Minutes that pass then. */
  readonly after?: number;
  /** What is done about the run and its Job, with the rule: `wait still-working`. */
  readonly want: readonly string[];
  readonly wantWhy?: RegExp;
  /** State of the flow run afterwards. */
  readonly wantState?: string;
}

export interface Scenario extends Setting {
  readonly acts: readonly Act[];
}

/** What is expected of an outcome is not said; anything else is. */
function decisionOf({ action, rule, kind }: Outcome): string {
  const said = `${action} ${rule}`;
  return kind === 'waiting' || kind === 'applied' ? said : `${said} (${kind})`;
}

const about = ({ outcomes }: TickReport, runId: string): readonly Outcome[] =>
  outcomes.filter((outcome) => outcome.runId === runId && outcome.action !== 'log-events');

async function runAct(scene: Scene, { play, after = 0, ...want }: Act): Promise<TickReport> {
  await play?.(scene);
  scene.pass(after);
  const report = await scene.functions.reconcile();
  const outcomes = about(report, scene.runId);
  assert.equal(report.problem, null);
  assert.deepEqual(outcomes.map(decisionOf), want.want, JSON.stringify(outcomes, null, 1));
  assert.match(outcomes[0]?.why ?? '', want.wantWhy ?? /(?:)/u);
  assert.equal(scene.state(), want.wantState ?? scene.state());
  return report;
}

/** Plays a scenario on the real control plane. Returns the names of the rules that decided. */
export async function runScenario(
  cluster: RealCluster,
  eks: EksLogin,
  { acts, ...setting }: Scenario,
): Promise<readonly string[]> {
  const scene = await openScene(cluster, eks, setting);
  const fired: string[] = [];
  for (const act of acts) fired.push(...Object.keys((await runAct(scene, act)).byRule));
  return fired;
}
