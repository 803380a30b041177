-- Every entity of the model by its key: what type it has, where it belongs and whether it is deleted.
-- Kept by triggers. Relationships refer to it, so that both of their ends exist, are of the type that
-- they say and are in the same workspace.

set role atoms_owner;

-- Workspaces come to have what all records have. Those of before were changed by nobody we know.
alter table app.workspaces
    add column updated_by text default app.user_id(),
    add column deleted_at timestamptz,
    add column deleted_by text,
    add column deleted_with uuid,
    add constraint workspaces_id_organization_id unique (id, organization_id);

create trigger stamp before update on app.workspaces
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.workspaces
    for each row execute function app.stamp_deletion('admin');
create trigger record after insert or update or delete on app.workspaces
    for each row execute function app.record_change('workspace');
-- For the triggers that run as the owner.
create policy owner_all on app.workspaces to atoms_owner using (true) with check (true);

create table app.entity_keys (
    id uuid primary key
        constraint entity_keys_id_version check (substr(id::text, 15, 1) = '7'),
    type text not null
        constraint entity_keys_type_known check (type in (
            'project', 'document', 'block', 'requirement', 'test_case', 'test_run', 'task', 'workflow'
        )),
    organization_id uuid not null,
    workspace_id uuid not null,
    deleted_at timestamptz,
    constraint entity_keys_typed unique (id, type, workspace_id),
    -- A workspace that moves to another organization takes everything along.
    constraint entity_keys_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade
);

create index entity_keys_workspace_id on app.entity_keys (workspace_id, type, id);
create index entity_keys_organization_id on app.entity_keys (organization_id, type, id);

-- The trigger of entities. Its argument is the type.
create function app.keep_entity_key() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into app.entity_keys (id, type, organization_id, workspace_id, deleted_at)
        values (new.id, tg_argv[0], new.organization_id, new.workspace_id, new.deleted_at);
    elsif tg_op = 'UPDATE' then
        update app.entity_keys as k set deleted_at = new.deleted_at where k.id = new.id;
    else
        delete from app.entity_keys as k where k.id = old.id;
    end if;
    return null;
end
$$;

revoke execute on function app.keep_entity_key() from public;

alter table app.entity_keys enable row level security;
alter table app.entity_keys force row level security;

create policy owner_all on app.entity_keys to atoms_owner using (true) with check (true);

reset role;
