-- Typed relationships between entities of a workspace, and from entities to people. Which types a kind
-- may connect is said by rows of app.relationship_rules and kept by a foreign key; a hierarchy has no
-- cycle, and nothing has two parents in it.

set role atoms_owner;

create table app.relationship_rules (
    kind text not null
        constraint relationship_rules_kind_known check (kind in (
            'hierarchy', 'assignment', 'dependency', 'association', 'trace_link', 'membership', 'workflow'
        )),
    source_type text not null,
    target_type text not null,
    primary key (kind, source_type, target_type)
);

insert into app.relationship_rules (kind, source_type, target_type)
select kind, source_type, target_type
from (
    values
        -- The parent, the child.
        ('hierarchy', '{project}', '{project}'),
        ('hierarchy', '{document}', '{document}'),
        ('hierarchy', '{block}', '{block}'),
        ('hierarchy', '{requirement}', '{requirement}'),
        ('hierarchy', '{test_case}', '{test_case}'),
        ('hierarchy', '{task}', '{task}'),
        -- What is to be done, and by whom.
        ('assignment', '{document,requirement,test_case,test_run,task,workflow}', '{user}'),
        -- Who takes part.
        ('membership', '{project,document}', '{user}'),
        -- What waits, and for what.
        ('dependency', '{project,requirement,test_case,task}', '{project,requirement,test_case,task}'),
        -- Has to do with, both ways.
        ('association', '{project,document,block,requirement,test_case,test_run,task}',
            '{project,document,block,requirement,test_case,test_run,task}'),
        -- What refers back, and to what.
        ('trace_link', '{requirement,test_case,task,document,block}', '{requirement,document,block}'),
        ('trace_link', '{test_run}', '{requirement,test_case}'),
        ('trace_link', '{task}', '{test_case}'),
        -- What it works on.
        ('workflow', '{workflow}', '{project,document,requirement,test_case,test_run,task}')
) as rule (kind, sources, targets),
    unnest(sources::text[]) as source_type,
    unnest(targets::text[]) as target_type;

create table app.relationships (
    id uuid primary key default app.new_id()
        constraint relationships_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    kind text not null,
    source_id uuid not null,
    -- Both types come from the keys, whatever a statement says.
    source_type text not null,
    -- An entity or a person.
    target_id uuid,
    target_user_id text,
    target_type text not null,
    -- Which trace link, dependency, part of a member ... it is.
    label text
        constraint relationships_label_form check (label ~ '^[a-z][a-z0-9_]{0,49}$'),
    attributes jsonb not null default '{}'
        constraint relationships_attributes_object check (jsonb_typeof(attributes) = 'object')
        constraint relationships_attributes_length check (octet_length(attributes::text) <= 16384),
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    deleted_at timestamptz,
    deleted_by text,
    deleted_with uuid,
    constraint relationships_one_target check (num_nonnulls(target_id, target_user_id) = 1),
    constraint relationships_target_user_type check ((target_type = 'user') = (target_user_id is not null)),
    constraint relationships_not_self check (target_id <> source_id),
    constraint relationships_trace_link_label check (
        kind <> 'trace_link'
        or label is not null
            and label in ('verifies', 'satisfies', 'derives_from', 'refines', 'implements', 'traces_to')
    ),
    constraint relationships_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint relationships_rule foreign key (kind, source_type, target_type)
        references app.relationship_rules (kind, source_type, target_type),
    constraint relationships_source foreign key (source_id, source_type, workspace_id)
        references app.entity_keys (id, type, workspace_id) on delete cascade,
    constraint relationships_target foreign key (target_id, target_type, workspace_id)
        references app.entity_keys (id, type, workspace_id) on delete cascade,
    -- Of the same organization; who leaves it is assigned nothing.
    constraint relationships_target_user foreign key (organization_id, target_user_id)
        references app.memberships (organization_id, user_id) on delete cascade
);

create index relationships_workspace_id on app.relationships (workspace_id, kind, id);
create index relationships_source_id on app.relationships (source_id, kind, id);
create index relationships_target_id on app.relationships (target_id, kind, id) where target_id is not null;
create index relationships_target_user_id on app.relationships (organization_id, target_user_id, kind, id)
    where target_user_id is not null;
create unique index relationships_once
    on app.relationships (source_id, kind, label, target_id, target_user_id) nulls not distinct
    where deleted_at is null;
create unique index relationships_association_once
    on app.relationships (least(source_id, target_id), greatest(source_id, target_id), label) nulls not distinct
    where kind = 'association' and deleted_at is null;
create unique index relationships_one_parent
    on app.relationships (target_id) where kind = 'hierarchy' and deleted_at is null;

-- Counts the changes of a workspace's hierarchies: whoever changes one waits for whoever does so at the
-- same time, at every isolation level. Two that are harmless alone could close a cycle together.
create table app.hierarchy_guards (
    workspace_id uuid primary key references app.workspaces (id) on delete cascade,
    changes bigint not null default 1
);

-- The trigger of new and restored relationships: their ends are there, and of which type.
create function app.resolve_ends() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_end uuid;
    v_column text;
    v_type text;
begin
    if new.deleted_at is not null then
        return new;
    end if;
    if not app.has_role(new.organization_id, 'viewer') then
        raise exception 'no role in the organization' using errcode = '42501';
    end if;
    foreach v_column in array array['source_id', 'target_id'] loop
        v_end := case v_column when 'source_id' then new.source_id else new.target_id end;
        v_type := null;
        select k.type into v_type from app.entity_keys as k
        where k.id = v_end and k.workspace_id = new.workspace_id
            and k.organization_id = new.organization_id and k.deleted_at is null
        for share;
        if v_end is not null and v_type is null then
            raise exception '% names nothing that is there', v_column
                using errcode = '23514', table = 'relationships', column = v_column,
                    constraint = format('relationships_%s_live', v_column);
        end if;
        if v_column = 'source_id' then
            new.source_type := v_type;
        else
            new.target_type := coalesce(v_type, 'user');
        end if;
    end loop;
    return new;
end
$$;

-- The trigger of hierarchies: the child is not above the parent.
create function app.require_no_cycle() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into app.hierarchy_guards as g (workspace_id) values (new.workspace_id)
    on conflict (workspace_id) do update set changes = g.changes + 1;
    if exists (
        with recursive above (id) as (
            select new.source_id
            union
            select r.source_id
            from above join app.relationships as r
                on r.target_id = above.id and r.kind = 'hierarchy' and r.deleted_at is null and r.id <> new.id
        )
        select from above where id = new.target_id
    ) then
        raise exception 'the hierarchy would have a cycle' using errcode = '23514',
            table = 'relationships', column = 'target_id', constraint = 'relationships_no_cycle';
    end if;
    return new;
end
$$;

revoke execute on function app.resolve_ends(), app.require_no_cycle() from public;

create trigger ends before insert or update of deleted_at on app.relationships
    for each row execute function app.resolve_ends();
create trigger hierarchy before insert or update of deleted_at on app.relationships
    for each row when (new.kind = 'hierarchy' and new.deleted_at is null)
    execute function app.require_no_cycle();
create trigger stamp before update on app.relationships
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.relationships
    for each row execute function app.stamp_deletion('member');
create trigger record after insert or update or delete on app.relationships
    for each row execute function app.record_change('relationship');

alter table app.relationship_rules enable row level security;
alter table app.relationship_rules force row level security;
alter table app.relationships enable row level security;
alter table app.relationships force row level security;
alter table app.hierarchy_guards enable row level security;
alter table app.hierarchy_guards force row level security;

create policy owner_all on app.relationships to atoms_owner using (true) with check (true);
create policy owner_all on app.hierarchy_guards to atoms_owner using (true) with check (true);

reset role;
