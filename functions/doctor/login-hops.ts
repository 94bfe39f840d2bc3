import type { CallerAnswer } from '../aws/caller-identity.ts';
import type { Config } from '../config.ts';
import type { Login } from '../kubernetes/examine.ts';
import { agentGroup, permissions, type Permission } from '../kubernetes/permissions.ts';
import { broken, ok, skipped, unseen, type Finding } from './finding.ts';
import {
  type About,
  applyManifests,
  createAccessEntry,
  roleArnOf,
  rulesYaml,
  updateAccessEntry,
  whoAmI,
} from './remedies.ts';
import type { Visit } from './visit.ts';

const limitMs = 20_000;

function callerFinding(answer: CallerAnswer): Finding {
  switch (answer.kind) {
    case 'known':
      return ok(answer.arn);
    case 'no-credentials':
      return broken(
        'there are no AWS credentials here; in Lambda they come with the execution role',
        'aws sso login',
        whoAmI,
      );
    case 'rejected':
      return broken(
        `AWS rejects the credentials (${answer.code}): expired, deleted, or signed by a clock that is wrong`,
        'aws sso login',
        whoAmI,
      );
    case 'unreachable':
      return unseen(
        `STS cannot be asked from here (${answer.advice}). The ticks do not ask it: the API server does`,
        whoAmI,
      );
  }
}

export async function checkAwsIdentity(visit: Visit): Promise<Finding> {
  if (visit.hasOwnLogin) return skipped('the login to the cluster is that of the kubeconfig');
  await visit.signLogin();
  const caller = await visit.caller();
  visit.callerArn = caller.kind === 'known' ? caller.arn : null;
  return callerFinding(caller);
}

/** STS takes a signature for 15 minutes, and 5 minutes early. */
const skewMs = 5 * 60_000;

/** What the first request with a token says. */
function loginFinding(login: Login, about: About, now: Date): Finding {
  if (login.kind === 'nameless') return ok('the API server lets us in (it is too old to say as whom)');
  if (login.kind === 'known') {
    const entry = login.groups.includes(agentGroup) ? '' : `, not in the group ${agentGroup}`;
    return ok(`the API server knows us as ${login.user}${entry}`);
  }
  const ahead = login.serverTime === null ? 0 : now.getTime() - login.serverTime.getTime();
  if (Math.abs(ahead) > skewMs) {
    const minutes = Math.round(Math.abs(ahead) / 60_000);
    return broken(
      `the API server rejects the login (401), and the clock here is ${minutes} minutes ${ahead > 0 ? 'ahead of' : 'behind'} its own: a login counts for 15 minutes from its date`,
      'sudo timedatectl set-ntp true',
    );
  }
  const whose = about.hasOwnLogin
    ? 'that the kubeconfig gives: its credentials are expired, or those of another cluster'
    : `of ${roleArnOf(about.callerArn)}: the cluster has no access entry for this role, or one that belongs to a deleted role of the same name (delete it first), or EKS_CLUSTER_NAME is not the name of this cluster`;
  return broken(`the API server rejects the login (401) ${whose}`, ...createAccessEntry(about));
}

export async function checkAccessEntry(visit: Visit): Promise<Finding> {
  const cluster = await visit.cluster();
  visit.login = await cluster.whoAmI(visit.limit(limitMs));
  const now = visit.surroundings.outside.clock.now();
  return loginFinding(visit.login, visit, now);
}

/** Both functions' rights, each once. */
const distinctRights: readonly Permission[] = [
  ...new Map(permissions.map((right) => [`${right.verb} ${right.apiGroup}/${right.resource}`, right])).values(),
];

const shownRight = ({ verb, apiGroup, resource }: Permission): string =>
  `${verb} ${resource}${apiGroup === '' ? '' : `.${apiGroup}`}`;

function rightsFinding(about: About, missing: readonly Permission[], login: Login | null): Finding {
  const { config } = about;
  const all = distinctRights.length;
  if (missing.length === 0) return ok(`all ${all} rights in the namespace ${config.namespace}`);
  const isOutsider = login?.kind === 'known' && !login.groups.includes(agentGroup);
  const saw = `${missing.length} of ${all} rights are missing in the namespace ${config.namespace}: ${missing.map(shownRight).join(', ')}`;
  if (isOutsider && missing.length === all) {
    const groups = login.groups.join(', ');
    return broken(
      `${saw}. The access entry does not give the group ${agentGroup} (it gives ${groups})`,
      ...updateAccessEntry(about),
      ...applyManifests(config),
    );
  }
  return broken(saw, ...applyManifests(config), 'or add to the Role:', ...rulesYaml(missing));
}

export async function checkPermissions(visit: Visit): Promise<Finding> {
  const cluster = await visit.cluster();
  const allowed = await Promise.all(distinctRights.map((right) => cluster.mayI(right, visit.limit(limitMs))));
  const missing = distinctRights.filter((_right, index) => allowed[index] !== true);
  return rightsFinding(visit, missing, visit.login);
}

export const listRights = ({ namespace }: Config): readonly string[] => [
  `kubectl -n ${namespace} auth can-i --list --as doctor --as-group ${agentGroup}`,
];
