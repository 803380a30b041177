-- All entities as one: the view over their tables, the relationships whose ends are there, and the
-- full-text search.

set role atoms_owner;

-- Whoever asks sees what row-level security shows them of the tables. A project is in itself.
create view app.entities with (security_invoker = true) as
select
    'project' as type, t.id, t.organization_id, t.workspace_id, t.id as project_id, t.name as title,
    t.description, t.status, null::text as priority, null::text as external_id, t.created_by, t.created_at,
    t.updated_by, t.updated_at, t.version, t.deleted_at
from app.projects as t
union all
select
    'document', t.id, t.organization_id, t.workspace_id, t.project_id,
    t.title, t.description, t.status, null, t.external_id,
    t.created_by, t.created_at, t.updated_by, t.updated_at, t.version, t.deleted_at
from app.documents as t
union all
select
    'block', t.id, t.organization_id, t.workspace_id, t.project_id,
    left(t.content, 300), t.content, null, null, null,
    t.created_by, t.created_at, t.updated_by, t.updated_at, t.version, t.deleted_at
from app.blocks as t
union all
select
    'requirement', t.id, t.organization_id, t.workspace_id, t.project_id,
    t.title, t.statement, t.status, t.priority, t.external_id,
    t.created_by, t.created_at, t.updated_by, t.updated_at, t.version, t.deleted_at
from app.requirements as t
union all
select
    'test_case', t.id, t.organization_id, t.workspace_id, t.project_id,
    t.title, t.description, t.status, t.priority, t.external_id,
    t.created_by, t.created_at, t.updated_by, t.updated_at, t.version, t.deleted_at
from app.test_cases as t
union all
select
    'test_run', t.id, t.organization_id, t.workspace_id, t.project_id,
    c.title, t.notes, t.status, null, null,
    t.created_by, t.created_at, t.updated_by, t.updated_at, t.version, t.deleted_at
from app.test_runs as t join app.test_cases as c on c.id = t.test_case_id
union all
select
    'task', t.id, t.organization_id, t.workspace_id, t.project_id,
    t.title, t.description, t.status, t.priority, t.external_id,
    t.created_by, t.created_at, t.updated_by, t.updated_at, t.version, t.deleted_at
from app.tasks as t
union all
select
    'workflow', t.id, t.organization_id, t.workspace_id, t.project_id,
    t.name, t.description, t.status, null, null,
    t.created_by, t.created_at, t.updated_by, t.updated_at, t.version, t.deleted_at
from app.workflows as t;

-- A relationship with a deleted end is as good as deleted.
create view app.live_relationships with (security_invoker = true) as
select r.*
from app.relationships as r
join app.entity_keys as s on s.id = r.source_id and s.deleted_at is null
left join app.entity_keys as t on t.id = r.target_id
where r.deleted_at is null and t.deleted_at is null;

-- The entities of the caller's organizations that match, best first. The words are as a web search has
-- them: quotes, `or`, `-`. A function of the owner, because row-level security lets a condition find its
-- index only if it is known not to leak, and `@@` is not; so it asks for the organizations itself.
create function app.search_entities(
    p_query text,
    p_workspace_id uuid default null,
    p_project_id uuid default null,
    p_types text[] default null,
    p_limit integer default 20,
    p_offset integer default 0
) returns table (
    type text, id uuid, organization_id uuid, workspace_id uuid, project_id uuid, title text,
    status text, priority text, external_id text, rank real
)
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select
        found.type, found.id, found.organization_id, found.workspace_id, found.project_id, found.title,
        found.status, found.priority, found.external_id, ts_rank_cd(found.search, query) as rank
    from websearch_to_tsquery('english', left(p_query, 1000)) as query
    cross join lateral (
        select
            'project' as type, t.id, t.organization_id, t.workspace_id, t.id as project_id, t.name as title,
            t.status, null::text as priority, null::text as external_id, t.search
        from app.projects as t
        where t.search @@ query and t.deleted_at is null
            and t.organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and (p_workspace_id is null or t.workspace_id = p_workspace_id)
            and (p_project_id is null or t.id = p_project_id)
            and (p_types is null or 'project' = any (p_types))
        union all
        select
            'document', t.id, t.organization_id, t.workspace_id, t.project_id, t.title,
            t.status, null, t.external_id, t.search
        from app.documents as t
        where t.search @@ query and t.deleted_at is null
            and t.organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and (p_workspace_id is null or t.workspace_id = p_workspace_id)
            and (p_project_id is null or t.project_id = p_project_id)
            and (p_types is null or 'document' = any (p_types))
        union all
        select
            'block', t.id, t.organization_id, t.workspace_id, t.project_id, left(t.content, 300),
            null, null, null, t.search
        from app.blocks as t
        where t.search @@ query and t.deleted_at is null
            and t.organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and (p_workspace_id is null or t.workspace_id = p_workspace_id)
            and (p_project_id is null or t.project_id = p_project_id)
            and (p_types is null or 'block' = any (p_types))
        union all
        select
            'requirement', t.id, t.organization_id, t.workspace_id, t.project_id, t.title,
            t.status, t.priority, t.external_id, t.search
        from app.requirements as t
        where t.search @@ query and t.deleted_at is null
            and t.organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and (p_workspace_id is null or t.workspace_id = p_workspace_id)
            and (p_project_id is null or t.project_id = p_project_id)
            and (p_types is null or 'requirement' = any (p_types))
        union all
        select
            'test_case', t.id, t.organization_id, t.workspace_id, t.project_id, t.title,
            t.status, t.priority, t.external_id, t.search
        from app.test_cases as t
        where t.search @@ query and t.deleted_at is null
            and t.organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and (p_workspace_id is null or t.workspace_id = p_workspace_id)
            and (p_project_id is null or t.project_id = p_project_id)
            and (p_types is null or 'test_case' = any (p_types))
        union all
        select
            'test_run', t.id, t.organization_id, t.workspace_id, t.project_id, c.title,
            t.status, null, null, t.search
        from app.test_runs as t join app.test_cases as c on c.id = t.test_case_id
        where t.search @@ query and t.deleted_at is null
            and t.organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and (p_workspace_id is null or t.workspace_id = p_workspace_id)
            and (p_project_id is null or t.project_id = p_project_id)
            and (p_types is null or 'test_run' = any (p_types))
        union all
        select
            'task', t.id, t.organization_id, t.workspace_id, t.project_id, t.title,
            t.status, t.priority, t.external_id, t.search
        from app.tasks as t
        where t.search @@ query and t.deleted_at is null
            and t.organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and (p_workspace_id is null or t.workspace_id = p_workspace_id)
            and (p_project_id is null or t.project_id = p_project_id)
            and (p_types is null or 'task' = any (p_types))
        union all
        select
            'workflow', t.id, t.organization_id, t.workspace_id, t.project_id, t.name,
            t.status, null, null, t.search
        from app.workflows as t
        where t.search @@ query and t.deleted_at is null
            and t.organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and (p_workspace_id is null or t.workspace_id = p_workspace_id)
            and (p_project_id is null or t.project_id = p_project_id)
            and (p_types is null or 'workflow' = any (p_types))
    ) as found
    order by rank desc, found.id
    limit least(greatest(p_limit, 1), 100) offset greatest(p_offset, 0);
end;

revoke execute on function app.search_entities(text, uuid, uuid, text[], integer, integer) from public;
grant execute on function app.search_entities(text, uuid, uuid, text[], integer, integer) to authenticated;

reset role;
