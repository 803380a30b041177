-- How it stands after the statement before, which others may have been quicker than.
select e.type, e.version
from (
    select 'project' as type, t.version from app.projects as t
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
    union all
    select 'document' as type, t.version from app.documents as t
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
    union all
    select 'block' as type, t.version from app.blocks as t
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
    union all
    select 'requirement' as type, t.version from app.requirements as t
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
    union all
    select 'test_case' as type, t.version from app.test_cases as t
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
    union all
    select 'test_run' as type, t.version from app.test_runs as t
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
    union all
    select 'task' as type, t.version from app.tasks as t
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
    union all
    select 'workflow' as type, t.version from app.workflows as t
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
) as e
