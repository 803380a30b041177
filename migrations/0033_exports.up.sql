-- Exports that people order and the service makes. They expire; the service deletes them then.

set role atoms_owner;

create table app.exports (
    id uuid primary key default app.new_id()
        constraint exports_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    -- Null: all of the workspace.
    project_id uuid,
    format text not null
        constraint exports_format_known check (format in ('json', 'csv', 'markdown', 'reqif')),
    -- Which entities: an object, as with saved queries.
    filter jsonb not null default '{}'
        constraint exports_filter_object check (jsonb_typeof(filter) = 'object')
        constraint exports_filter_length check (octet_length(filter::text) <= 16384),
    status text not null default 'queued'
        constraint exports_status_known
        check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    -- Here, or where else it lies.
    content text
        constraint exports_content_length check (octet_length(content) <= 8388608),
    location text
        constraint exports_location_length check (char_length(location) between 1 and 2000),
    rows bigint
        constraint exports_rows_range check (rows >= 0),
    error text
        constraint exports_error_length check (char_length(error) <= 2000),
    started_at timestamptz,
    finished_at timestamptz,
    expires_at timestamptz not null default now() + interval '7 days',
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    constraint exports_finished_at_order check (finished_at >= started_at),
    constraint exports_finished_at_status
        check ((finished_at is not null) = (status in ('succeeded', 'failed', 'cancelled'))),
    constraint exports_content_status
        check (num_nonnulls(content, location) = (status = 'succeeded')::integer),
    constraint exports_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint exports_project foreign key (project_id, workspace_id)
        references app.projects (id, workspace_id) on delete cascade
);

create index exports_workspace_id on app.exports (workspace_id, id);
create index exports_project_id on app.exports (project_id) where project_id is not null;
create index exports_created_by on app.exports (created_by, id);
create index exports_open on app.exports (id) where status in ('queued', 'running');
create index exports_expires_at on app.exports (expires_at);

create trigger live before insert on app.exports
    for each row execute function app.require_live('workspaces', 'workspace_id');
create trigger live_project before insert on app.exports
    for each row execute function app.require_live('projects', 'project_id');
create trigger finished before update of status on app.exports
    for each row execute function app.keep_finished();
create trigger stamp before update on app.exports
    for each row execute function app.stamp();
create trigger record after insert or delete on app.exports
    for each row execute function app.record_change('export');

alter table app.exports enable row level security;
alter table app.exports force row level security;

create policy owner_all on app.exports to atoms_owner using (true) with check (true);

reset role;
