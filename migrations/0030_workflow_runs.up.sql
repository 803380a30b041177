-- Runs of workflows, and what came of each step. They are records: nobody takes them back.

set role atoms_owner;

create table app.workflow_runs (
    id uuid primary key default app.new_id()
        constraint workflow_runs_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    workflow_id uuid not null,
    -- Of the workflow, as it was run.
    workflow_version bigint not null,
    -- What set it off; null: somebody did, or the trigger is gone.
    trigger_id uuid,
    -- What it is about, if it is about something.
    subject_id uuid,
    subject_type text,
    status text not null default 'pending'
        constraint workflow_runs_status_known check (status in (
            'pending', 'running', 'waiting', 'succeeded', 'failed', 'cancelled'
        )),
    input jsonb not null default '{}'
        constraint workflow_runs_input_object check (jsonb_typeof(input) = 'object')
        constraint workflow_runs_input_length check (octet_length(input::text) <= 65536),
    output jsonb
        constraint workflow_runs_output_object check (jsonb_typeof(output) = 'object')
        constraint workflow_runs_output_length check (octet_length(output::text) <= 65536),
    error text
        constraint workflow_runs_error_length check (char_length(error) <= 2000),
    -- Chosen by the caller: starting it again with the same one is not another run.
    idempotency_key text
        constraint workflow_runs_idempotency_key_length check (char_length(idempotency_key) between 1 and 200),
    started_at timestamptz,
    finished_at timestamptz,
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    constraint workflow_runs_finished_at_order check (finished_at >= started_at),
    constraint workflow_runs_finished_at_status
        check ((finished_at is not null) = (status in ('succeeded', 'failed', 'cancelled'))),
    constraint workflow_runs_subject_whole check ((subject_id is null) = (subject_type is null)),
    constraint workflow_runs_id_workflow_id unique (id, workflow_id),
    constraint workflow_runs_id_workspace_id unique (id, workspace_id),
    constraint workflow_runs_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint workflow_runs_workflow foreign key (workflow_id, workspace_id)
        references app.workflows (id, workspace_id) on delete cascade,
    constraint workflow_runs_trigger foreign key (trigger_id, workflow_id)
        references app.workflow_triggers (id, workflow_id) on delete set null (trigger_id),
    constraint workflow_runs_subject foreign key (subject_id, subject_type, workspace_id)
        references app.entity_keys (id, type, workspace_id) on delete set null (subject_id, subject_type)
);

create index workflow_runs_workspace_id on app.workflow_runs (workspace_id, id);
create index workflow_runs_workflow_id on app.workflow_runs (workflow_id, id);
create index workflow_runs_subject_id on app.workflow_runs (subject_id, id) where subject_id is not null;
create index workflow_runs_trigger_id on app.workflow_runs (trigger_id) where trigger_id is not null;
create index workflow_runs_open on app.workflow_runs (workspace_id, status, id)
    where status in ('pending', 'running', 'waiting');
create unique index workflow_runs_idempotency_key on app.workflow_runs (workflow_id, idempotency_key)
    where idempotency_key is not null;

create table app.workflow_step_results (
    id uuid primary key default app.new_id()
        constraint workflow_step_results_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    workflow_id uuid not null,
    run_id uuid not null,
    -- Null: the step is gone from the workflow.
    step_id uuid,
    -- Of the step, as it was run.
    number integer not null
        constraint workflow_step_results_number_range check (number between 1 and 1000),
    attempt smallint not null default 1
        constraint workflow_step_results_attempt_range check (attempt between 1 and 10),
    status text not null default 'pending'
        constraint workflow_step_results_status_known check (status in (
            'pending', 'running', 'waiting', 'succeeded', 'failed', 'skipped', 'cancelled'
        )),
    output jsonb
        constraint workflow_step_results_output_object check (jsonb_typeof(output) = 'object')
        constraint workflow_step_results_output_length check (octet_length(output::text) <= 65536),
    error text
        constraint workflow_step_results_error_length check (char_length(error) <= 2000),
    started_at timestamptz,
    finished_at timestamptz,
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    constraint workflow_step_results_finished_at_order check (finished_at >= started_at),
    constraint workflow_step_results_once unique (run_id, number, attempt),
    constraint workflow_step_results_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint workflow_step_results_run foreign key (run_id, workflow_id)
        references app.workflow_runs (id, workflow_id) on delete cascade,
    constraint workflow_step_results_run_workspace foreign key (run_id, workspace_id)
        references app.workflow_runs (id, workspace_id) on delete cascade,
    constraint workflow_step_results_step foreign key (step_id, workflow_id)
        references app.workflow_steps (id, workflow_id) on delete set null (step_id)
);

create index workflow_step_results_workspace_id on app.workflow_step_results (workspace_id, id);
create index workflow_step_results_step_id on app.workflow_step_results (step_id) where step_id is not null;

-- What is over stays as it was.
create function app.keep_finished() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if old.status in ('succeeded', 'failed', 'skipped', 'cancelled') and new.status <> old.status then
        raise exception 'it is over' using errcode = '23514', table = tg_table_name, column = 'status',
            constraint = format('%s_status_final', tg_table_name);
    end if;
    return new;
end
$$;

revoke execute on function app.keep_finished() from public;

create trigger live before insert on app.workflow_runs
    for each row execute function app.require_live('workflows', 'workflow_id');
create trigger finished before update of status on app.workflow_runs
    for each row execute function app.keep_finished();
create trigger stamp before update on app.workflow_runs
    for each row execute function app.stamp();
create trigger finished before update of status on app.workflow_step_results
    for each row execute function app.keep_finished();
create trigger stamp before update on app.workflow_step_results
    for each row execute function app.stamp();
create trigger record after insert or update or delete on app.workflow_runs
    for each row execute function app.record_change('workflow_run');

alter table app.workflow_runs enable row level security;
alter table app.workflow_runs force row level security;
alter table app.workflow_step_results enable row level security;
alter table app.workflow_step_results force row level security;

create policy owner_all on app.workflow_runs to atoms_owner using (true) with check (true);
create policy owner_all on app.workflow_step_results to atoms_owner using (true) with check (true);

reset role;
