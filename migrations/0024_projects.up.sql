-- Projects of a workspace.

set role atoms_owner;

create table app.projects (
    id uuid primary key default app.new_id()
        constraint projects_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    name text not null
        constraint projects_name_length check (char_length(name) <= 200 and name ~ '\S'),
    description text
        constraint projects_description_length check (char_length(description) <= 4000),
    status text not null default 'active'
        constraint projects_status_known check (status in (
            'planned', 'active', 'on_hold', 'completed', 'archived'
        )),
    attributes jsonb not null default '{}'
        constraint projects_attributes_object check (jsonb_typeof(attributes) = 'object')
        constraint projects_attributes_length check (octet_length(attributes::text) <= 16384),
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
    constraint projects_id_workspace_id unique (id, workspace_id),
    constraint projects_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade
);

create index projects_workspace_id on app.projects (workspace_id, id);
create index projects_status on app.projects (workspace_id, status, id) where deleted_at is null;
create index projects_search on app.projects using gin (search);

create trigger live before insert or update of workspace_id, deleted_at on app.projects
    for each row when (new.deleted_at is null)
    execute function app.require_live('workspaces', 'workspace_id');
create trigger stamp before update on app.projects
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.projects
    for each row execute function app.stamp_deletion('admin');
create trigger entity_key after insert or update of deleted_at or delete on app.projects
    for each row execute function app.keep_entity_key('project');
create trigger record after insert or update or delete on app.projects
    for each row execute function app.record_change('project');

-- What is in a workspace that is deleted. Projects will have more in them than there is yet.
create trigger within after update of deleted_at on app.workspaces
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('projects', 'workspace_id');

alter table app.projects enable row level security;
alter table app.projects force row level security;

create policy owner_all on app.projects to atoms_owner using (true) with check (true);

reset role;
