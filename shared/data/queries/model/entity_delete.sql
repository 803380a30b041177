with
a_project as (
    update app.projects as t set deleted_at = now()
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
    returning t.id, t.name as title
),
a_document as (
    update app.documents as t set deleted_at = now()
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
    returning t.id, t.title as title
),
a_block as (
    update app.blocks as t set deleted_at = now()
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
    returning t.id, left(t.content, 100) as title
),
a_requirement as (
    update app.requirements as t set deleted_at = now()
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
    returning t.id, t.title as title
),
a_test_case as (
    update app.test_cases as t set deleted_at = now()
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
    returning t.id, t.title as title
),
a_test_run as (
    update app.test_runs as t set deleted_at = now()
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
    returning t.id, (
            select c.title from app.test_cases as c where c.id = t.test_case_id
        ) as title
),
a_task as (
    update app.tasks as t set deleted_at = now()
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
    returning t.id, t.title as title
)
select 'project', a.id, a.title from a_project as a
union all
select 'document', a.id, a.title from a_document as a
union all
select 'block', a.id, a.title from a_block as a
union all
select 'requirement', a.id, a.title from a_requirement as a
union all
select 'test_case', a.id, a.title from a_test_case as a
union all
select 'test_run', a.id, a.title from a_test_run as a
union all
select 'task', a.id, a.title from a_task as a
