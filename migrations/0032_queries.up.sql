-- Queries that people keep, and how queries have gone: counted by the caller of app.record_query.

set role atoms_owner;

create table app.saved_queries (
    id uuid primary key default app.new_id()
        constraint saved_queries_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    name text not null
        constraint saved_queries_name_length check (char_length(name) <= 200 and name ~ '\S'),
    description text
        constraint saved_queries_description_length check (char_length(description) <= 4000),
    -- What is asked for: an object, never SQL.
    query jsonb not null
        constraint saved_queries_query_object check (jsonb_typeof(query) = 'object')
        constraint saved_queries_query_length check (octet_length(query::text) <= 16384),
    -- Who else sees it.
    visibility text not null default 'private'
        constraint saved_queries_visibility_known check (visibility in ('private', 'workspace')),
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    deleted_at timestamptz,
    deleted_by text,
    deleted_with uuid,
    constraint saved_queries_id_workspace_id unique (id, workspace_id),
    constraint saved_queries_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade
);

create index saved_queries_workspace_id on app.saved_queries (workspace_id, id);
create unique index saved_queries_name on app.saved_queries (workspace_id, created_by, lower(name))
    where deleted_at is null;

create trigger live before insert or update of deleted_at on app.saved_queries
    for each row when (new.deleted_at is null)
    execute function app.require_live('workspaces', 'workspace_id');
create trigger stamp before update on app.saved_queries
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.saved_queries
    for each row execute function app.stamp_deletion('viewer');
create trigger record after insert or update or delete on app.saved_queries
    for each row execute function app.record_change('saved_query');

drop trigger within on app.workspaces;
create trigger within after update of deleted_at on app.workspaces
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within(
        'projects', 'workspace_id', 'workflows', 'workspace_id', 'saved_queries', 'workspace_id'
    );

-- By day, so that what was long ago can be told from what is now.
create table app.query_statistics (
    organization_id uuid not null,
    workspace_id uuid not null,
    -- What kind of query it was, and which: the same for all that differ in values only.
    operation text not null
        constraint query_statistics_operation_form check (operation ~ '^[a-z][a-z0-9_]{0,49}$'),
    fingerprint text not null
        constraint query_statistics_fingerprint_form check (fingerprint ~ '^[0-9a-f]{16,64}$'),
    day date not null,
    saved_query_id uuid,
    executions bigint not null
        constraint query_statistics_executions_positive check (executions > 0),
    failures bigint not null
        constraint query_statistics_failures_range check (failures between 0 and executions),
    rows bigint not null
        constraint query_statistics_rows_range check (rows >= 0),
    -- In microseconds, of all and of the longest.
    total_time bigint not null,
    max_time bigint not null
        constraint query_statistics_max_time_range check (max_time between 0 and total_time),
    last_at timestamptz not null default now(),
    primary key (workspace_id, fingerprint, operation, day),
    constraint query_statistics_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint query_statistics_saved_query foreign key (saved_query_id, workspace_id)
        references app.saved_queries (id, workspace_id) on delete set null (saved_query_id)
);

create index query_statistics_day on app.query_statistics (workspace_id, day, total_time desc);
create index query_statistics_saved_query_id on app.query_statistics (saved_query_id, day)
    where saved_query_id is not null;

-- Whoever may read a workspace may say how a query in it went.
create function app.record_query(
    p_workspace_id uuid,
    p_operation text,
    p_fingerprint text,
    p_saved_query_id uuid,
    p_failed boolean,
    p_rows bigint,
    p_time bigint
) returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_organization_id uuid;
begin
    select w.organization_id into v_organization_id from app.workspaces as w
    where w.id = p_workspace_id and w.organization_id = any (app.organization_ids('viewer'));
    if v_organization_id is null then
        raise exception 'no role in the workspace' using errcode = '42501';
    end if;
    insert into app.query_statistics as s (
        organization_id, workspace_id, operation, fingerprint, day, saved_query_id,
        executions, failures, rows, total_time, max_time
    ) values (
        v_organization_id, p_workspace_id, p_operation, p_fingerprint, (now() at time zone 'UTC')::date,
        p_saved_query_id, 1, p_failed::integer, p_rows, p_time, p_time
    )
    on conflict (workspace_id, fingerprint, operation, day) do update set
        saved_query_id = coalesce(excluded.saved_query_id, s.saved_query_id),
        executions = s.executions + 1,
        failures = s.failures + excluded.failures,
        rows = s.rows + excluded.rows,
        total_time = s.total_time + excluded.total_time,
        max_time = greatest(s.max_time, excluded.max_time),
        last_at = now();
end
$$;

revoke execute on function app.record_query(uuid, text, text, uuid, boolean, bigint, bigint) from public;
grant execute on function app.record_query(uuid, text, text, uuid, boolean, bigint, bigint) to authenticated;

alter table app.saved_queries enable row level security;
alter table app.saved_queries force row level security;
alter table app.query_statistics enable row level security;
alter table app.query_statistics force row level security;

create policy owner_all on app.saved_queries to atoms_owner using (true) with check (true);
create policy owner_all on app.query_statistics to atoms_owner using (true) with check (true);

reset role;
