import type { Match } from './wire-faults.ts';

/** The requests of the functions by what they are for. */

export const polls: Match = { to: 'prefect', body: /get_runs_in_queue/u };
export const claims: Match = { to: 'prefect', body: /set_flow_run_states[^]*"type":"Submitted"/u };
export const readsById: Match = { to: 'prefect', body: /"where":\{"id":\{"_in"/u };
export const creates = { to: 'kubernetes', method: 'POST', path: /\/jobs(?:\?|$)/u } as const satisfies Match;
export const jobLists = { to: 'kubernetes', method: 'GET', path: /\/jobs\?/u } as const satisfies Match;
export const stateWrites: Match = { to: 'prefect', body: /set_flow_run_states/u };
export const logWrites: Match = { to: 'prefect', body: /write_run_logs/u };
