/**
 * The part of the API that the service answers (PrefectHQ/server src/prefect_server/graphql/schema/*.graphql), as far as
 * the client, the agent and the flow process of Prefect 1.4.1 use it. Every result field may be null.
 */
export const serviceTypes = /* GraphQL */ `
  scalar JSON
  scalar DateTime
  scalar UUID

  enum log_level {
    DEBUG
    INFO
    WARNING
    ERROR
    CRITICAL
  }

  type api_info {
    backend: String
    mode: String
    version: String
    core_version: String
    release_timestamp: String
  }
  type success_payload {
    success: Boolean
    error: String
  }
  type tenant_id_payload {
    id: UUID
  }
  type project_id_payload {
    id: UUID
  }
  type flow_id_payload {
    id: UUID
  }
  type flow_run_id_payload {
    id: UUID
  }
  type task_run_id_payload {
    id: UUID
  }
  type agent_id_payload {
    id: UUID
  }
  type agent_config_id_payload {
    id: UUID
  }
  type runs_in_queue_payload {
    flow_run_ids: [String!]
  }
  type runs_state_payload {
    state: String
  }
  type state_result_payload {
    id: UUID
    status: set_state_status
    message: String
  }
  enum set_state_status {
    SUCCESS
    QUEUED
  }
  type set_flow_run_states_payload {
    states: [state_result_payload!]
  }
  type set_task_run_states_payload {
    states: [state_result_payload!]
  }
  type task_run_info_payload {
    id: UUID
    version: Int
    state: String
    serialized_state: JSON
  }
  type get_or_create_task_run_info_payload {
    id: UUID
    version: Int
    state: String
    serialized_state: JSON
  }

  input create_tenant_input {
    name: String!
    slug: String!
  }
  input create_project_input {
    tenant_id: UUID!
    name: String!
    description: String
  }
  input create_flow_input {
    serialized_flow: JSON!
    project_id: UUID!
    version_group_id: String
    set_schedule_active: Boolean
    description: String
    idempotency_key: String
  }
  input create_flow_from_compressed_string_input {
    serialized_flow: String!
    project_id: UUID!
    version_group_id: String
    set_schedule_active: Boolean
    description: String
    idempotency_key: String
  }
  input archive_flow_input {
    flow_id: UUID!
  }
  input register_tasks_input {
    serialized_tasks: JSON!
    flow_id: UUID!
  }
  input register_edges_input {
    serialized_edges: JSON!
    flow_id: UUID!
  }
  input set_schedule_active_input {
    flow_id: UUID!
  }
  input set_schedule_inactive_input {
    flow_id: UUID!
  }
  input create_flow_run_input {
    flow_id: UUID
    parameters: JSON
    labels: [String!]
    run_config: JSON
    context: JSON
    scheduled_start_time: DateTime
    idempotency_key: String
    flow_run_name: String
    version_group_id: String
  }
  input delete_flow_run_input {
    flow_run_id: UUID!
  }
  input set_flow_run_name_input {
    flow_run_id: UUID!
    name: String!
  }
  input set_flow_run_labels_input {
    flow_run_id: UUID!
    labels: [String!]!
  }
  input set_task_run_name_input {
    task_run_id: UUID!
    name: String!
  }
  input set_flow_run_states_input {
    states: [set_flow_run_state_input!]!
  }
  input set_flow_run_state_input {
    flow_run_id: UUID!
    version: Int
    state: JSON!
  }
  input set_task_run_states_input {
    states: [set_task_run_state_input!]!
  }
  input set_task_run_state_input {
    task_run_id: UUID!
    version: Int
    state: JSON!
    flow_run_version: Int
  }
  input cancel_flow_run_input {
    flow_run_id: UUID!
  }
  input get_or_create_task_run_input {
    flow_run_id: UUID!
    task_id: UUID!
    map_index: Int
  }
  input get_or_create_task_run_info_input {
    flow_run_id: UUID!
    task_id: UUID!
    map_index: Int
  }
  input update_flow_run_heartbeat_input {
    flow_run_id: UUID!
  }
  input update_task_run_heartbeat_input {
    task_run_id: UUID!
  }
  input get_runs_in_queue_input {
    tenant_id: UUID!
    before: DateTime
    labels: [String!]
  }
  input write_run_logs_input {
    logs: [write_run_log_input!]!
  }
  input write_run_log_input {
    flow_run_id: UUID!
    task_run_id: UUID
    timestamp: DateTime
    message: String
    name: String
    level: log_level
    info: JSON
  }
  input register_agent_input {
    tenant_id: UUID
    labels: [String!]
    agent_config_id: UUID
    type: String!
    name: String
  }
  input delete_agent_input {
    agent_id: UUID!
  }
  input create_agent_config_input {
    tenant_id: UUID!
    name: String
    settings: JSON
  }
  input update_agent_config_input {
    agent_config_id: UUID!
    name: String
    settings: JSON
  }
  input delete_agent_config_input {
    agent_config_id: UUID!
  }
`;

/** Root fields of `Query` that the service answers. */
export const serviceQueries = `
  hello: String
  api: api_info
  get_task_run_info(task_run_id: UUID!): task_run_info_payload
`;

/** Root fields of `Mutation` that the service answers. */
export const serviceMutations = `
  create_tenant(input: create_tenant_input!): tenant_id_payload
  create_project(input: create_project_input!): project_id_payload
  create_flow(input: create_flow_input!): flow_id_payload
  create_flow_from_compressed_string(input: create_flow_from_compressed_string_input!): flow_id_payload
  archive_flow(input: archive_flow_input!): success_payload
  register_tasks(input: register_tasks_input!): success_payload
  register_edges(input: register_edges_input!): success_payload
  set_schedule_active(input: set_schedule_active_input!): success_payload
  set_schedule_inactive(input: set_schedule_inactive_input!): success_payload
  create_flow_run(input: create_flow_run_input!): flow_run_id_payload
  delete_flow_run(input: delete_flow_run_input!): success_payload
  set_flow_run_name(input: set_flow_run_name_input!): success_payload
  set_flow_run_labels(input: set_flow_run_labels_input!): success_payload
  set_task_run_name(input: set_task_run_name_input!): success_payload
  set_flow_run_states(input: set_flow_run_states_input!): set_flow_run_states_payload
  set_task_run_states(input: set_task_run_states_input!): set_task_run_states_payload
  cancel_flow_run(input: cancel_flow_run_input!): runs_state_payload
  get_or_create_task_run(input: get_or_create_task_run_input!): task_run_id_payload
  get_or_create_task_run_info(input: get_or_create_task_run_info_input!): get_or_create_task_run_info_payload
  update_flow_run_heartbeat(input: update_flow_run_heartbeat_input!): success_payload
  update_task_run_heartbeat(input: update_task_run_heartbeat_input!): success_payload
  get_runs_in_queue(input: get_runs_in_queue_input!): runs_in_queue_payload
  write_run_logs(input: write_run_logs_input!): success_payload
  register_agent(input: register_agent_input!): agent_id_payload
  delete_agent(input: delete_agent_input!): success_payload
  create_agent_config(input: create_agent_config_input!): agent_config_id_payload
  update_agent_config(input: update_agent_config_input!): success_payload
  delete_agent_config(input: delete_agent_config_input!): success_payload
`;
