/** Where we and the API server judge a Job differently: who takes it, and why we leave it so. */
export interface ServerDifference {
  readonly name: string;
  /** `server-refuses`: we send it, and the run fails with the server's own words; `we-refuse`: the server would take it. */
  readonly kind: 'server-refuses' | 'we-refuse';
  readonly what: string;
  readonly why: string;
}

/**
 * All such differences, found with a real kube-apiserver 1.35.4 under strict field validation. A test on a real control
 * plane knows them by name, and fails for one that is not here and for one that it does not meet.
 */
export const serverDifferences: readonly ServerDifference[] = [
  {
    name: 'unknown-field',
    kind: 'server-refuses',
    what: 'a field that the version of Kubernetes does not know',
    why: "Which fields there are is the cluster's to know. The peer's Jobs lose them without a word, and a misspelt node selector with them.",
  },
  {
    name: 'wrong-type',
    kind: 'server-refuses',
    what: 'a text where a number belongs, a map where a list does',
    why: 'We look at the parts that we work with, and at those that YAML changes; the server names the field of the others.',
  },
  {
    name: 'malformed-name',
    kind: 'server-refuses',
    what: 'a container, host or volume whose name Kubernetes does not allow',
    why: 'Each kind of name has rules of its own; the server names the field and the rule.',
  },
  {
    name: 'malformed-label',
    kind: 'server-refuses',
    what: 'a key or value of a label or annotation that Kubernetes does not allow',
    why: 'Likewise.',
  },
  {
    name: 'no-image',
    kind: 'server-refuses',
    what: 'an empty image of run config, template or storage',
    why: 'The peer sends it too. Another image in its place would be a guess.',
  },
  {
    name: 'no-restart-policy',
    kind: 'server-refuses',
    what: '`restartPolicy: null` in a template',
    why: 'The peer sends it too.',
  },
  {
    name: 'request-above-limit',
    kind: 'server-refuses',
    what: 'a request above its limit, as of a run config over a template',
    why: 'Which of the two is meant, nobody can say but the author.',
  },
  {
    name: 'request-without-limit',
    kind: 'server-refuses',
    what: 'a request of an extended resource, as a GPU, without its limit',
    why: 'Which resources are extended is for the cluster to know.',
  },
  {
    name: 'mount-without-volume',
    kind: 'server-refuses',
    what: 'a mount of a volume that the template does not have',
    why: 'We look for it only where the policy took the volume away.',
  },
  {
    name: 'run-config-or-storage',
    kind: 'we-refuse',
    what: 'a run config or a storage that Prefect cannot read, or of another platform; a template that is not there',
    why: 'The server never hears of these; the peer refuses them in the same words.',
  },
  {
    name: 'null-part',
    kind: 'we-refuse',
    what: 'a template in which labels, metadata, variables or resources are there and null',
    why: 'The server reads null as absent. The peer fails there, so that no flow relies on it, and half a template is a mistake.',
  },
  {
    name: 'prototype-key',
    kind: 'we-refuse',
    what: 'a template with a key called `__proto__`, `constructor` or `prototype`',
    why: 'It means nothing in a Job, and is a trap for every program that joins objects.',
  },
  {
    name: 'too-large',
    kind: 'we-refuse',
    what: 'a Job of 1 to 3 MiB',
    why: 'The server takes it and its store does not: that answer would be an error of the server, tried again and again.',
  },
  {
    name: 'template-policy',
    kind: 'we-refuse',
    what: 'a Job that the template policy does not allow',
    why: 'The cluster may have no policy of its own, or a looser one.',
  },
];
