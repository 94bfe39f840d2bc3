import type { Violation } from './timeline.ts';
import type { Limits, Witnessed, WitnessedInvocation, WitnessedRequest } from './witness.ts';

const isCreate = ({ to, method, path }: WitnessedRequest): boolean =>
  to === 'kubernetes' && method === 'POST' && /\/jobs(?:\?|$)/u.test(path);

function judge(
  invocation: WitnessedInvocation,
  requests: readonly WitnessedRequest[],
  bounds: { readonly most: number; readonly createLimitMs: number; readonly endedAt: Date },
): readonly string[] {
  const { endedAt, deadline, killed } = invocation;
  const end = endedAt ?? deadline;
  const hasOverrun = endedAt === null ? !killed && deadline < bounds.endedAt : endedAt > deadline;
  const lastCreate = new Date(deadline.getTime() - bounds.createLimitMs);
  return [
    ...(hasOverrun ? ['it did not end by its deadline'] : []),
    ...(requests.some(({ at }) => at > end) ? ['a request was sent after its end'] : []),
    ...(requests.some((request) => isCreate(request) && request.at > lastCreate) ? ['a create was sent too late'] : []),
    ...(requests.length > bounds.most
      ? [`it sent ${requests.length} requests, at most ${bounds.most} are allowed`]
      : []),
  ];
}

/** B: every invocation ends by its deadline, sends nothing afterwards, and a bounded number of requests before. */
export function overrunBudgets(witnessed: Witnessed, limits: Limits): readonly Violation[] {
  const { base, each } = limits.requests;
  const most = base + each * (witnessed.runs.length + witnessed.jobs.length);
  const bounds = { most, createLimitMs: limits.createLimitMs, endedAt: witnessed.endedAt };
  const byActor = Map.groupBy(witnessed.requests, ({ actor }) => actor);
  return witnessed.invocations.flatMap((invocation) =>
    judge(invocation, byActor.get(invocation.actor) ?? [], bounds).map((why) => ({
      invariant: 'B' as const,
      runId: null,
      why: `${invocation.actor}: ${why}`,
    })),
  );
}
