-- Test cases of a project, and what came of running them.

set role atoms_owner;

create table app.test_cases (
    id uuid primary key default app.new_id()
        constraint test_cases_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    project_id uuid not null,
    -- As people call it, unique in the project.
    external_id text
        constraint test_cases_external_id_form check (external_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    title text not null
        constraint test_cases_title_length check (char_length(title) <= 300 and title ~ '\S'),
    description text
        constraint test_cases_description_length check (char_length(description) <= 10000),
    preconditions text
        constraint test_cases_preconditions_length check (char_length(preconditions) <= 10000),
    -- A list of objects: what is done, and what shall come of it.
    steps jsonb not null default '[]'
        constraint test_cases_steps_array check (jsonb_typeof(steps) = 'array')
        constraint test_cases_steps_length check (octet_length(steps::text) <= 65536),
    kind text not null default 'system'
        constraint test_cases_kind_known check (kind in (
            'unit', 'integration', 'system', 'acceptance', 'performance', 'security', 'regression'
        )),
    method text not null default 'manual'
        constraint test_cases_method_known check (method in ('manual', 'automated')),
    priority text not null default 'medium'
        constraint test_cases_priority_known check (priority in ('low', 'medium', 'high', 'critical')),
    status text not null default 'draft'
        constraint test_cases_status_known check (status in ('draft', 'ready', 'approved', 'deprecated')),
    attributes jsonb not null default '{}'
        constraint test_cases_attributes_object check (jsonb_typeof(attributes) = 'object')
        constraint test_cases_attributes_length check (octet_length(attributes::text) <= 16384),
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    deleted_at timestamptz,
    deleted_by text,
    deleted_with uuid,
    search tsvector not null generated always as (
        setweight(to_tsvector('english', title || ' ' || coalesce(external_id, '')), 'A')
        || setweight(to_tsvector('english', coalesce(description, '')), 'B')
        || setweight(to_tsvector('english', coalesce(preconditions, '')), 'C')
    ) stored,
    constraint test_cases_id_project_id unique (id, project_id),
    constraint test_cases_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint test_cases_project foreign key (project_id, workspace_id)
        references app.projects (id, workspace_id) on delete cascade
);

create index test_cases_workspace_id on app.test_cases (workspace_id, id);
create index test_cases_project_id on app.test_cases (project_id, id);
create index test_cases_status on app.test_cases (project_id, status, priority, id) where deleted_at is null;
create unique index test_cases_external_id on app.test_cases (project_id, external_id) where deleted_at is null;
create index test_cases_search on app.test_cases using gin (search);

create trigger live before insert or update of project_id, deleted_at on app.test_cases
    for each row when (new.deleted_at is null)
    execute function app.require_live('projects', 'project_id');
create trigger stamp before update on app.test_cases
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.test_cases
    for each row execute function app.stamp_deletion('member');
create trigger entity_key after insert or update of deleted_at or delete on app.test_cases
    for each row execute function app.keep_entity_key('test_case');
create trigger record after insert or update or delete on app.test_cases
    for each row execute function app.record_change('test_case');

create table app.test_runs (
    id uuid primary key default app.new_id()
        constraint test_runs_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    project_id uuid not null,
    test_case_id uuid not null,
    status text not null default 'planned'
        constraint test_runs_status_known check (status in (
            'planned', 'running', 'passed', 'failed', 'blocked', 'skipped'
        )),
    environment text
        constraint test_runs_environment_length check (char_length(environment) <= 300),
    -- Of what was tested.
    build text
        constraint test_runs_build_length check (char_length(build) <= 300),
    notes text
        constraint test_runs_notes_length check (char_length(notes) <= 10000),
    -- What came of each step: a list of objects.
    results jsonb not null default '[]'
        constraint test_runs_results_array check (jsonb_typeof(results) = 'array')
        constraint test_runs_results_length check (octet_length(results::text) <= 65536),
    started_at timestamptz,
    finished_at timestamptz,
    attributes jsonb not null default '{}'
        constraint test_runs_attributes_object check (jsonb_typeof(attributes) = 'object')
        constraint test_runs_attributes_length check (octet_length(attributes::text) <= 16384),
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    deleted_at timestamptz,
    deleted_by text,
    deleted_with uuid,
    search tsvector not null generated always as (
        setweight(to_tsvector('english', coalesce(environment, '') || ' ' || coalesce(build, '')), 'B')
        || setweight(to_tsvector('english', coalesce(notes, '')), 'C')
    ) stored,
    constraint test_runs_finished_at_order check (finished_at >= started_at),
    constraint test_runs_finished_at_status
        check (finished_at is null or status not in ('planned', 'running')),
    constraint test_runs_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint test_runs_project foreign key (project_id, workspace_id)
        references app.projects (id, workspace_id) on delete cascade,
    constraint test_runs_test_case foreign key (test_case_id, project_id)
        references app.test_cases (id, project_id) on delete cascade
);

create index test_runs_workspace_id on app.test_runs (workspace_id, id);
create index test_runs_project_id on app.test_runs (project_id, id);
create index test_runs_test_case_id on app.test_runs (test_case_id, id);
create index test_runs_status on app.test_runs (project_id, status, id) where deleted_at is null;
create index test_runs_search on app.test_runs using gin (search);

create trigger live before insert or update of test_case_id, deleted_at on app.test_runs
    for each row when (new.deleted_at is null)
    execute function app.require_live('test_cases', 'test_case_id');
create trigger stamp before update on app.test_runs
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.test_runs
    for each row execute function app.stamp_deletion('member');
create trigger entity_key after insert or update of deleted_at or delete on app.test_runs
    for each row execute function app.keep_entity_key('test_run');
create trigger record after insert or update or delete on app.test_runs
    for each row execute function app.record_change('test_run');

create trigger within after update of deleted_at on app.test_cases
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('test_runs', 'test_case_id');
drop trigger within on app.projects;
create trigger within after update of deleted_at on app.projects
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within(
        'documents', 'project_id', 'requirements', 'project_id', 'test_cases', 'project_id'
    );

alter table app.test_cases enable row level security;
alter table app.test_cases force row level security;
alter table app.test_runs enable row level security;
alter table app.test_runs force row level security;

create policy owner_all on app.test_cases to atoms_owner using (true) with check (true);
create policy owner_all on app.test_runs to atoms_owner using (true) with check (true);

reset role;
