import { humanDuration } from './human-duration.ts';
import { hasCondition, textIn, type ClusterEvent, type Job, type KubeObject, type Pod } from './objects.ts';
import { podSummary } from './pod-summary.ts';
import { events, jobs, pods, type Resource } from './resources.ts';

/** What kubectl shows of a kind, as the API server has it (kubernetes 1.35.4, pkg/printers/internalversion). */
export interface Columns {
  readonly columns: readonly Column[];
  readonly cells: (object: KubeObject, now: Date) => readonly (string | number)[];
}

export interface Column {
  readonly name: string;
  readonly type: 'string';
  readonly format: 'name' | '';
  /** 1: with `-o wide` alone. */
  readonly priority: 0 | 1;
}

const column = (name: string, priority: 0 | 1 = 0): Column => ({
  name,
  type: 'string',
  format: name === 'Name' ? 'name' : '',
  priority,
});

const since = (time: string | null | undefined, now: Date): string =>
  time === null || time === undefined ? '<unknown>' : humanDuration(now.getTime() - new Date(time).getTime());

const orNone = (text: string | undefined): string => text || '<none>';

/** The condition that decides, from the strongest to the weakest; a Job that is being deleted is told before the last three. */
function jobWord({ metadata, status }: Job): string {
  const has = (type: string): boolean => hasCondition(status.conditions, type);
  const end = ['Complete', 'Failed'].find(has);
  if (end !== undefined) return end;
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running';
}

function completionsOf({ spec, status }: Job): string {
  const { completions, parallelism } = spec;
  const wanted = parallelism > 1 ? `1 of ${parallelism}` : '1';
  return `${status.succeeded ?? 0}/${completions ?? wanted}`;
}

function jobDuration({ status }: Job, now: Date): string {
  if (status.startTime === undefined) return '';
  const end = status.completionTime === undefined ? now : new Date(status.completionTime);
  return humanDuration(end.getTime() - new Date(status.startTime).getTime());
}

function selectorText({ spec }: Job): string {
  const pairs = Object.entries(spec.selector.matchLabels).map(([name, value]) => `${name}=${value}`);
  return orNone(pairs.sort().join(','));
}

function jobCells(job: Job, now: Date): readonly string[] {
  const { containers } = job.spec.template.spec;
  return [
    job.metadata.name,
    jobWord(job),
    completionsOf(job),
    jobDuration(job, now),
    since(job.metadata.creationTimestamp, now),
    containers.map(({ name }) => name).join(','),
    containers.map(({ image }) => image).join(','),
    selectorText(job),
  ];
}

function gatesText({ spec, status }: Pod): string {
  const gates = spec.readinessGates ?? [];
  const open = gates.filter(({ conditionType }) => hasCondition(status.conditions, conditionType));
  return gates.length === 0 ? '<none>' : `${open.length}/${gates.length}`;
}

function podCells(pod: Pod, now: Date): readonly string[] {
  const { ready, status, restarts } = podSummary(pod, now);
  return [
    pod.metadata.name,
    ready,
    status,
    restarts,
    since(pod.metadata.creationTimestamp, now),
    orNone(pod.status.podIPs?.[0]?.ip),
    orNone(pod.spec.nodeName),
    orNone(pod.status.nominatedNodeName),
    gatesText(pod),
  ];
}

function eventCells(event: ClusterEvent, now: Date): readonly (string | number)[] {
  const { involvedObject: object } = event;
  const first = since(event.firstTimestamp, now);
  const source = [textIn(event['source'], 'component'), textIn(event['source'], 'host')].filter((one) => one !== '');
  return [
    event.lastTimestamp === null ? first : since(event.lastTimestamp, now),
    event.type,
    event.reason,
    `${object.kind.toLowerCase()}/${object.name}`,
    object.fieldPath ?? '',
    source.join(', '),
    event.message.trim(),
    first,
    event.count,
    event.metadata.name,
  ];
}

const known = new Map<Resource, Columns>([
  [
    jobs,
    {
      columns: [
        ...['Name', 'Status', 'Completions', 'Duration', 'Age'].map((name) => column(name)),
        ...['Containers', 'Images', 'Selector'].map((name) => column(name, 1)),
      ],
      cells: (object, now) => jobCells(object as Job, now),
    },
  ],
  [
    pods,
    {
      columns: [
        ...['Name', 'Ready', 'Status', 'Restarts', 'Age'].map((name) => column(name)),
        ...['IP', 'Node', 'Nominated Node', 'Readiness Gates'].map((name) => column(name, 1)),
      ],
      cells: (object, now) => podCells(object as Pod, now),
    },
  ],
  [
    events,
    {
      columns: [
        ...['Last Seen', 'Type', 'Reason', 'Object'].map((name) => column(name)),
        ...['Subobject', 'Source'].map((name) => column(name, 1)),
        column('Message'),
        ...['First Seen', 'Count', 'Name'].map((name) => column(name, 1)),
      ],
      cells: (object, now) => eventCells(object as ClusterEvent, now),
    },
  ],
]);

/** Null: it is not shown in columns here, and kubectl makes do with name and age. */
export const columnsOf = (resource: Resource): Columns | null => known.get(resource) ?? null;
