import { machineOutside, type Outside } from '../composition.ts';
import { parseConfig } from '../config.ts';
import type { DoctorWish } from '../doctor-event.ts';
import { BoundaryError } from '../errors.ts';
import { broken, type DoctorReport, type Finding, type HopReport } from './finding.ts';
import { hops, type Hop } from './hops.ts';
import { Visit } from './visit.ts';
import { systemWire, type Wire } from './wire.ts';

export interface Examination {
  /** The functions' own. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly wish: DoctorWish;
  readonly endsAt: Date;
  /** Default: the machine's. */
  readonly outside?: Outside;
  readonly wire?: Wire;
  /** Told of each hop as soon as it has been looked at. */
  readonly tell?: (report: HopReport) => void;
}

/** What a client could not do is what the hop has found. */
async function find({ check, remedies }: Hop, visit: Visit): Promise<Finding> {
  try {
    return await check(visit);
  } catch (error) {
    if (!(error instanceof BoundaryError)) throw error;
    return broken(error.message, ...(error.command === null ? remedies(visit) : [error.command]));
  }
}

/** Hops in their order, up to the first broken one. */
async function lookAround(visit: Visit, tell: (report: HopReport) => void): Promise<readonly HopReport[]> {
  const reports: HopReport[] = [];
  for (const hop of hops) {
    const report = { hop: hop.name, why: hop.why, ...(await find(hop, visit)) };
    reports.push(report);
    tell(report);
    if (report.verdict === 'broken') return reports;
  }
  return reports;
}

/**
 * Looks at hop after hop, from the configuration to a pod, and stops at the first broken one. Reads only, but for the
 * short-lived Job of the last hop where it is wished for. Never throws for what it finds.
 */
export async function runDoctor(examination: Examination): Promise<DoctorReport> {
  const { env, wish, endsAt, outside = machineOutside(env), wire = systemWire } = examination;
  const visit = new Visit(parseConfig(env), wish, { outside, wire, endsAt });
  try {
    const reports = await lookAround(visit, examination.tell ?? (() => undefined));
    return { ok: reports.at(-1)?.verdict !== 'broken', hops: reports };
  } finally {
    visit.end();
  }
}
