import { accessCases } from './kubernetes.access.cases.ts';
import type { ContractCase } from './kubernetes.cluster.ts';
import { controllerCases } from './kubernetes.controllers.cases.ts';
import { discoveryCases } from './kubernetes.discovery.cases.ts';
import { listCases } from './kubernetes.lists.cases.ts';
import { refusalCases } from './kubernetes.refusals.cases.ts';
import { requestCases } from './kubernetes.requests.cases.ts';
import { tableCases } from './kubernetes.tables.cases.ts';

/** Everything that the local cluster promises, by group; each case was first put to a real control plane. */
export const contract: Readonly<Record<string, Readonly<Record<string, ContractCase>>>> = {
  discovery: discoveryCases,
  requests: requestCases,
  lists: listCases,
  tables: tableCases,
  access: accessCases,
  controllers: controllerCases,
  refusals: refusalCases,
};
