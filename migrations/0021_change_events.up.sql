-- Who changed what in the model, and when. Written by triggers alone; nobody changes or deletes it. Not
-- the values: they may be what was to be deleted.

set role atoms_owner;

-- No references: the history outlives what it tells of.
create table app.change_events (
    id uuid primary key default app.new_id(),
    organization_id uuid not null,
    workspace_id uuid,
    entity_type text not null,
    -- Of a membership: the organization.
    entity_id uuid not null,
    -- Whose membership it is.
    subject text,
    verb text not null
        constraint change_events_verb_known
        check (verb in ('created', 'changed', 'deleted', 'restored', 'erased')),
    -- Of the entity, after the change.
    version bigint,
    -- The columns that have another value than before.
    columns text[] not null default '{}',
    -- The user; null if it was the service.
    actor text,
    occurred_at timestamptz not null default now()
);

-- The latest of an organization, and of one entity.
create index change_events_organization_id on app.change_events (organization_id, id);
create index change_events_entity_id on app.change_events (entity_id, id);

-- The trigger of what is recorded. Its argument is the type.
create function app.record_change() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    -- What changes with everything, and what follows from the rest.
    c_silent constant text[] := array[
        'version', 'updated_at', 'updated_by', 'deleted_by', 'deleted_with', 'search'
    ];
    v_old jsonb := to_jsonb(old) - c_silent;
    v_new jsonb := to_jsonb(new) - c_silent;
    v_row jsonb := coalesce(to_jsonb(new), to_jsonb(old));
    v_columns text[];
    v_verb text;
begin
    if tg_op = 'INSERT' then
        v_verb := 'created';
    elsif tg_op = 'DELETE' then
        v_verb := 'erased';
    else
        select array_agg(n.key order by n.key) into v_columns
        from jsonb_each(v_new) as n where n.value is distinct from v_old -> n.key;
        if v_columns is null or 'organization_id' = any (v_columns) and tg_argv[0] <> 'workspace' then
            return null;
        end if;
        v_verb := case
            when not 'deleted_at' = any (v_columns) then 'changed'
            when v_new ->> 'deleted_at' is null then 'restored'
            else 'deleted'
        end;
    end if;
    insert into app.change_events
        (organization_id, workspace_id, entity_type, entity_id, subject, verb, version, columns, actor)
    values (
        coalesce(v_row ->> 'organization_id', v_row ->> 'id')::uuid,
        case tg_argv[0] when 'workspace' then v_row ->> 'id' else v_row ->> 'workspace_id' end::uuid,
        tg_argv[0],
        coalesce(v_row ->> 'id', v_row ->> 'organization_id')::uuid,
        case tg_argv[0] when 'membership' then v_row ->> 'user_id' end,
        v_verb,
        (v_row ->> 'version')::bigint,
        coalesce(v_columns, '{}'),
        app.user_id()
    );
    return null;
end
$$;

revoke execute on function app.record_change() from public;

alter table app.change_events enable row level security;
alter table app.change_events force row level security;

create policy owner_add on app.change_events for insert to atoms_owner with check (true);

reset role;
