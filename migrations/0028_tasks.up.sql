-- Tasks of a project. Who does them is said by relationships.

set role atoms_owner;

create table app.tasks (
    id uuid primary key default app.new_id()
        constraint tasks_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    project_id uuid not null,
    -- As people call it, unique in the project.
    external_id text
        constraint tasks_external_id_form check (external_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    title text not null
        constraint tasks_title_length check (char_length(title) <= 300 and title ~ '\S'),
    description text
        constraint tasks_description_length check (char_length(description) <= 10000),
    priority text not null default 'medium'
        constraint tasks_priority_known check (priority in ('low', 'medium', 'high', 'critical')),
    status text not null default 'open'
        constraint tasks_status_known check (status in (
            'open', 'in_progress', 'blocked', 'done', 'cancelled'
        )),
    due_on date,
    -- Of the work, in minutes.
    estimate integer
        constraint tasks_estimate_range check (estimate between 0 and 1000000),
    attributes jsonb not null default '{}'
        constraint tasks_attributes_object check (jsonb_typeof(attributes) = 'object')
        constraint tasks_attributes_length check (octet_length(attributes::text) <= 16384),
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
    ) stored,
    constraint tasks_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint tasks_project foreign key (project_id, workspace_id)
        references app.projects (id, workspace_id) on delete cascade
);

create index tasks_workspace_id on app.tasks (workspace_id, id);
create index tasks_project_id on app.tasks (project_id, id);
create index tasks_status on app.tasks (project_id, status, priority, id) where deleted_at is null;
create index tasks_due_on on app.tasks (workspace_id, due_on, id)
    where deleted_at is null and due_on is not null;
create unique index tasks_external_id on app.tasks (project_id, external_id) where deleted_at is null;
create index tasks_search on app.tasks using gin (search);

create trigger live before insert or update of project_id, deleted_at on app.tasks
    for each row when (new.deleted_at is null)
    execute function app.require_live('projects', 'project_id');
create trigger stamp before update on app.tasks
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.tasks
    for each row execute function app.stamp_deletion('member');
create trigger entity_key after insert or update of deleted_at or delete on app.tasks
    for each row execute function app.keep_entity_key('task');
create trigger record after insert or update or delete on app.tasks
    for each row execute function app.record_change('task');

drop trigger within on app.projects;
create trigger within after update of deleted_at on app.projects
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within(
        'documents', 'project_id', 'requirements', 'project_id', 'test_cases', 'project_id',
        'tasks', 'project_id'
    );

alter table app.tasks enable row level security;
alter table app.tasks force row level security;

create policy owner_all on app.tasks to atoms_owner using (true) with check (true);

reset role;
