-- Everything as one table; what a query wants of it follows. No branch has a condition of its own:
-- then the planner takes it for its table and finds the indexes.
with entity as (
    select
        'project'::text as type, t.id, t.organization_id, t.workspace_id, t.id as project_id,
        null::uuid as parent_id, t.name as title,
        t.description as body, t.status::text as status, null::text as priority, null::text as external_id,
        t.created_by, t.updated_at, t.deleted_at, t.attributes, t.search
    from app.projects as t
    union all
    select
        'document'::text as type, t.id, t.organization_id, t.workspace_id, t.project_id,
        null::uuid as parent_id, t.title as title,
        t.description as body, t.status::text as status, null::text as priority,
        t.external_id::text as external_id,
        t.created_by, t.updated_at, t.deleted_at, t.attributes, t.search
    from app.documents as t
    union all
    select
        'block'::text as type, t.id, t.organization_id, t.workspace_id, t.project_id,
        t.document_id as parent_id, left(t.content, 300) as title,
        t.content as body, null::text as status, null::text as priority, null::text as external_id,
        t.created_by, t.updated_at, t.deleted_at, t.attributes, t.search
    from app.blocks as t
    union all
    select
        'requirement'::text as type, t.id, t.organization_id, t.workspace_id, t.project_id,
        t.document_id as parent_id, t.title as title,
        t.statement as body, t.status::text as status, t.priority::text as priority,
        t.external_id::text as external_id,
        t.created_by, t.updated_at, t.deleted_at, t.attributes, t.search
    from app.requirements as t
    union all
    select
        'test_case'::text as type, t.id, t.organization_id, t.workspace_id, t.project_id,
        null::uuid as parent_id, t.title as title,
        t.description as body, t.status::text as status, t.priority::text as priority,
        t.external_id::text as external_id,
        t.created_by, t.updated_at, t.deleted_at, t.attributes, t.search
    from app.test_cases as t
    union all
    select
        'test_run'::text as type, t.id, t.organization_id, t.workspace_id, t.project_id,
        t.test_case_id as parent_id, (select c.title from app.test_cases as c where c.id = t.test_case_id) as title,
        t.notes as body, t.status::text as status, null::text as priority, null::text as external_id,
        t.created_by, t.updated_at, t.deleted_at, t.attributes, t.search
    from app.test_runs as t
    union all
    select
        'task'::text as type, t.id, t.organization_id, t.workspace_id, t.project_id,
        null::uuid as parent_id, t.title as title,
        t.description as body, t.status::text as status, t.priority::text as priority,
        t.external_id::text as external_id,
        t.created_by, t.updated_at, t.deleted_at, t.attributes, t.search
    from app.tasks as t
    union all
    select
        'workflow'::text as type, t.id, t.organization_id, t.workspace_id, t.project_id,
        null::uuid as parent_id, t.name as title,
        t.description as body, t.status::text as status, null::text as priority, null::text as external_id,
        t.created_by, t.updated_at, t.deleted_at, t.attributes, t.search
    from app.workflows as t
),
wanted as (
    select e.* from entity as e
    where e.organization_id = $1::uuid and e.deleted_at is null
        and ($2::uuid is null or e.workspace_id = $2::uuid)
        and ($3::uuid is null or e.project_id = $3::uuid)
        and ($4::uuid is null or e.parent_id = $4::uuid)
        and ($5::text[] is null or e.type = any ($5::text[]))
        and ($6::text[] is null or e.status = any ($6::text[]))
        and ($7::text[] is null or e.priority = any ($7::text[]))
        and ($8::text is null or e.external_id = $8::text)
        and ($9::text is null or e.created_by = $9::text)
        and ($10::timestamptz is null or e.updated_at > $10::timestamptz)
        and ($11::timestamptz is null or e.updated_at <= $11::timestamptz)
        and ($12::jsonb is null or e.attributes @> $12::jsonb)
)
