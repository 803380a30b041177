-- Workflows of a workspace, some of one project: what sets them off, and their steps.

set role atoms_owner;

create table app.workflows (
    id uuid primary key default app.new_id()
        constraint workflows_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    -- Null: of the whole workspace.
    project_id uuid,
    name text not null
        constraint workflows_name_length check (char_length(name) <= 200 and name ~ '\S'),
    description text
        constraint workflows_description_length check (char_length(description) <= 4000),
    status text not null default 'draft'
        constraint workflows_status_known check (status in ('draft', 'active', 'paused', 'retired')),
    attributes jsonb not null default '{}'
        constraint workflows_attributes_object check (jsonb_typeof(attributes) = 'object')
        constraint workflows_attributes_length check (octet_length(attributes::text) <= 16384),
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    deleted_at timestamptz,
    deleted_by text,
    deleted_with uuid,
    search tsvector not null generated always as (
        setweight(to_tsvector('english', name), 'A')
        || setweight(to_tsvector('english', coalesce(description, '')), 'B')
    ) stored,
    constraint workflows_id_workspace_id unique (id, workspace_id),
    constraint workflows_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint workflows_project foreign key (project_id, workspace_id)
        references app.projects (id, workspace_id) on delete cascade
);

create index workflows_workspace_id on app.workflows (workspace_id, id);
create index workflows_project_id on app.workflows (project_id, id) where project_id is not null;
create index workflows_search on app.workflows using gin (search);

create trigger live_workspace before insert or update of workspace_id, deleted_at on app.workflows
    for each row when (new.deleted_at is null)
    execute function app.require_live('workspaces', 'workspace_id');
create trigger live_project before insert or update of project_id, deleted_at on app.workflows
    for each row when (new.deleted_at is null)
    execute function app.require_live('projects', 'project_id');
create trigger stamp before update on app.workflows
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.workflows
    for each row execute function app.stamp_deletion('admin');
create trigger entity_key after insert or update of deleted_at or delete on app.workflows
    for each row execute function app.keep_entity_key('workflow');
create trigger record after insert or update or delete on app.workflows
    for each row execute function app.record_change('workflow');

-- What a step or a trigger is, is part of the workflow: changing it is changing the workflow's version.
create table app.workflow_steps (
    id uuid primary key default app.new_id()
        constraint workflow_steps_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    workflow_id uuid not null,
    -- From 1, in the order in which they run.
    number integer not null
        constraint workflow_steps_number_range check (number between 1 and 1000),
    name text not null
        constraint workflow_steps_name_length check (char_length(name) <= 200 and name ~ '\S'),
    kind text not null default 'action'
        constraint workflow_steps_kind_known check (kind in (
            'action', 'approval', 'condition', 'notification', 'wait'
        )),
    -- What it does: an object.
    config jsonb not null default '{}'
        constraint workflow_steps_config_object check (jsonb_typeof(config) = 'object')
        constraint workflow_steps_config_length check (octet_length(config::text) <= 16384),
    -- It is skipped where this does not hold; null always holds.
    condition jsonb
        constraint workflow_steps_condition_object check (jsonb_typeof(condition) = 'object')
        constraint workflow_steps_condition_length check (octet_length(condition::text) <= 16384),
    on_failure text not null default 'stop'
        constraint workflow_steps_on_failure_known check (on_failure in ('stop', 'continue', 'retry')),
    max_attempts smallint not null default 1
        constraint workflow_steps_max_attempts_range check (max_attempts between 1 and 10),
    -- In seconds.
    timeout integer not null default 300
        constraint workflow_steps_timeout_range check (timeout between 1 and 86400),
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    -- At the end of the transaction, so that steps can change places.
    constraint workflow_steps_number_unique unique (workflow_id, number) deferrable initially deferred,
    constraint workflow_steps_retry check (on_failure = 'retry' or max_attempts = 1),
    constraint workflow_steps_id_workflow_id unique (id, workflow_id),
    constraint workflow_steps_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint workflow_steps_workflow foreign key (workflow_id, workspace_id)
        references app.workflows (id, workspace_id) on delete cascade
);

create index workflow_steps_workspace_id on app.workflow_steps (workspace_id, id);

create table app.workflow_triggers (
    id uuid primary key default app.new_id()
        constraint workflow_triggers_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    workflow_id uuid not null,
    event text not null default 'manual'
        constraint workflow_triggers_event_known check (event in (
            'manual', 'created', 'changed', 'status_changed', 'deleted', 'schedule'
        )),
    -- Whose event it is; null for those that are of no entity.
    entity_type text
        constraint workflow_triggers_entity_type_known check (entity_type in (
            'project', 'document', 'block', 'requirement', 'test_case', 'test_run', 'task'
        )),
    -- It is not set off where this does not hold; null always holds.
    condition jsonb
        constraint workflow_triggers_condition_object check (jsonb_typeof(condition) = 'object')
        constraint workflow_triggers_condition_length check (octet_length(condition::text) <= 16384),
    -- As cron says it: minute, hour, day, month, day of week; UTC.
    schedule text
        constraint workflow_triggers_schedule_form
        check (char_length(schedule) <= 100 and schedule ~ '^[0-9*/,-]+( [0-9*/,-]+){4}$'),
    enabled boolean not null default true,
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    constraint workflow_triggers_entity_type_event
        check ((event in ('manual', 'schedule')) = (entity_type is null)),
    constraint workflow_triggers_schedule_event check ((event = 'schedule') = (schedule is not null)),
    constraint workflow_triggers_id_workflow_id unique (id, workflow_id),
    constraint workflow_triggers_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint workflow_triggers_workflow foreign key (workflow_id, workspace_id)
        references app.workflows (id, workspace_id) on delete cascade
);

create index workflow_triggers_workflow_id on app.workflow_triggers (workflow_id, id);
create index workflow_triggers_workspace_id on app.workflow_triggers (workspace_id, event, entity_type)
    where enabled;

-- The trigger of steps and triggers: their workflow is there, and has another version than before.
create function app.change_workflow() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_row jsonb := coalesce(to_jsonb(new), to_jsonb(old));
begin
    if tg_op = 'UPDATE' and new.organization_id <> old.organization_id then
        return null;
    end if;
    -- stamp, the trigger of workflows, makes the version.
    update app.workflows as w set updated_at = now()
    where w.id = (v_row ->> 'workflow_id')::uuid and w.deleted_at is null;
    if not found and tg_op <> 'DELETE' then
        raise exception 'the workflow is deleted' using errcode = '23514', table = tg_table_name,
            column = 'workflow_id', constraint = format('%s_workflow_id_live', tg_table_name);
    end if;
    return null;
end
$$;

revoke execute on function app.change_workflow() from public;

create trigger stamp before update on app.workflow_steps
    for each row execute function app.stamp();
create trigger workflow after insert or update or delete on app.workflow_steps
    for each row execute function app.change_workflow();
create trigger record after insert or update or delete on app.workflow_steps
    for each row execute function app.record_change('workflow_step');
create trigger stamp before update on app.workflow_triggers
    for each row execute function app.stamp();
create trigger workflow after insert or update or delete on app.workflow_triggers
    for each row execute function app.change_workflow();
create trigger record after insert or update or delete on app.workflow_triggers
    for each row execute function app.record_change('workflow_trigger');

drop trigger within on app.projects;
drop trigger within on app.workspaces;
create trigger within after update of deleted_at on app.projects
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within(
        'documents', 'project_id', 'requirements', 'project_id', 'test_cases', 'project_id',
        'tasks', 'project_id', 'workflows', 'project_id'
    );
create trigger within after update of deleted_at on app.workspaces
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('projects', 'workspace_id', 'workflows', 'workspace_id');

alter table app.workflows enable row level security;
alter table app.workflows force row level security;
alter table app.workflow_steps enable row level security;
alter table app.workflow_steps force row level security;
alter table app.workflow_triggers enable row level security;
alter table app.workflow_triggers force row level security;

create policy owner_all on app.workflows to atoms_owner using (true) with check (true);
create policy owner_all on app.workflow_steps to atoms_owner using (true) with check (true);
create policy owner_all on app.workflow_triggers to atoms_owner using (true) with check (true);

reset role;
