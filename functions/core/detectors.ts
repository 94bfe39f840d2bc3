/** An agent that has asked for runs lately, as the API lists it. */
export interface AgentSeen {
  readonly name: string | null;
  readonly labels: readonly string[];
}

/** A run that should have been submitted some minutes ago and was not. */
export interface LateRun {
  readonly labels: readonly string[];
}

/** Something that no single run or Job shows; one line and one metric a tick, with what to do. */
export interface Warning {
  readonly rule:
    | 'second-agent-on-our-labels'
    | 'labels-without-an-agent'
    | 'late-runs-of-ours'
    | 'label-filter-refused'
    | 'foreign-runs-in-front';
  readonly count: number;
  readonly why: string;
}

export interface DetectorInput {
  readonly agents: readonly AgentSeen[];
  readonly late: readonly LateRun[];
  /** Late runs that are ours to take; others cannot hide them. */
  readonly lateOfOurs: readonly LateRun[];
  readonly own: AgentSeen;
}

const sorted = (labels: readonly string[]): readonly string[] => labels.toSorted();
const named = (labels: readonly string[]): string =>
  labels.length === 0 ? 'no labels' : `labels ${sorted(labels).join(', ')}`;

/** The server's label rule (PrefectHQ/server src/prefect_server/api/runs.py). */
export function serves(agent: readonly string[], run: readonly string[]): boolean {
  if (run.length === 0) return agent.length === 0;
  return run.every((label) => agent.includes(label));
}

/** Two agents that can take the same run: each of their label sets could be a run's. */
const overlaps = (ours: readonly string[], theirs: readonly string[]): boolean =>
  ours.length === 0 ? theirs.length === 0 : ours.some((label) => theirs.includes(label));

function secondAgents({ agents, own }: DetectorInput): readonly Warning[] {
  const others = agents.filter((agent) => agent.name !== own.name && overlaps(own.labels, agent.labels));
  const names = [...new Set(others.map((agent) => agent.name ?? 'without a name'))].toSorted();
  if (names.length === 0) return [];
  const why = `agents on our ${named(own.labels)}: ${names.join(', ')}. Stop them, or give them labels of their own: two agents take runs from each other`;
  return [{ rule: 'second-agent-on-our-labels', count: names.length, why }];
}

function unserved({ agents, late, own }: DetectorInput): readonly Warning[] {
  const everybody = [...agents, own];
  const lonely = late.filter((run) => !everybody.some((agent) => serves(agent.labels, run.labels)));
  if (lonely.length === 0) return [];
  const kinds = [...new Set(lonely.map((run) => named(run.labels)))].toSorted();
  const why = `${lonely.length} late run(s) that no agent serves: ${kinds.slice(0, 5).join('; ')}. Add the labels to AGENT_LABELS, or change those of the flows`;
  return [{ rule: 'labels-without-an-agent', count: lonely.length, why }];
}

function lateRuns({ late, lateOfOurs, own }: DetectorInput): readonly Warning[] {
  // What the server could not sort out by labels is sorted out here.
  const count = Math.max(lateOfOurs.length, late.filter((run) => serves(own.labels, run.labels)).length);
  if (count === 0) return [];
  const why = `${count} run(s) of ours are late by five minutes or more. The lines of dispatch say why each is held; is dispatch running at all?`;
  return [{ rule: 'late-runs-of-ours', count, why }];
}

/** What a glance over agents and late runs shows. Pure; best effort: what could not be read is taken for empty. */
export function detect(input: DetectorInput): readonly Warning[] {
  return [...secondAgents(input), ...unserved(input), ...lateRuns(input)];
}

/** Due runs of the tenant at which the server's queue looks (PrefectHQ/server api/runs.py: three times 25). */
const queueWindow = 75;

/** How the poll found what is due, as far as it may hide something. */
export interface PollSeen {
  readonly source: 'filter' | 'queue';
  /** Due runs that are not ours and stand before ours. */
  readonly inFront: readonly LateRun[];
}

/** What keeps due runs of ours from being seen at once. Pure. */
export function detectHidden({ source, inFront }: PollSeen): readonly Warning[] {
  if (source === 'filter') return [];
  const refused: Warning = {
    rule: 'label-filter-refused',
    count: 1,
    why: 'the server refuses the filter for due runs, so its queue and its oldest 500 due runs of any labels are looked at instead. Update Prefect Server; {"doctor":true} shows the hop label-filter',
  };
  if (inFront.length < queueWindow) return [refused];
  const kinds = [...new Set(inFront.map((run) => named(run.labels)))].toSorted();
  const why = `${inFront.length} due run(s) of others come before ours: ${kinds.slice(0, 5).join('; ')}. Behind 500 of them ours are not seen: start an agent for them, cancel them, or update Prefect Server`;
  return [refused, { rule: 'foreign-runs-in-front', count: inFront.length, why }];
}
