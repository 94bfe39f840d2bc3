import { authorEdges } from './author-edges.ts';
import { awsEdges } from './aws-edges.ts';
import { commandEdges } from './command-edges.ts';
import { doctorEdges } from './doctor-edges.ts';
import { kubernetesEdges } from './kubernetes-edges.ts';
import { operatorEdges } from './operator-edges.ts';
import { prefectEdges } from './prefect-edges.ts';
import { templateEdges } from './template-edges.ts';
import { wireEdges } from './wire-edges.ts';

/** Every place where something from outside is read. */
export const edges = [
  ...prefectEdges,
  ...kubernetesEdges,
  ...authorEdges,
  ...operatorEdges,
  ...templateEdges,
  ...awsEdges,
  ...doctorEdges,
  ...commandEdges,
  ...wireEdges,
];

/** The seed whose cases are the same every time. */
export const fixedSeed = 20_260;

/** Cases of one seed for each edge, which together are as many as were asked for. */
export function shareOf(cases: number, share: number): number {
  const all = edges.reduce((sum, each) => sum + each.share, 0);
  return Math.max(1, Math.ceil((cases * share) / all));
}
