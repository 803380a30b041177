insert into app.test_cases as t (
    id, organization_id, workspace_id, project_id, external_id, title, description, preconditions,
    steps, kind, method, priority, status, attributes
)
select
    $1::uuid, p.organization_id, p.workspace_id, p.id, n.external_id, n.title, n.description,
    n.preconditions, n.steps, n.kind, n.method, n.priority, n.status, n.attributes
from app.projects as p,
    jsonb_populate_record(
        null::app.test_cases,
        '{
            "steps": [], "kind": "system", "method": "manual", "priority": "medium", "status": "draft",
            "attributes": {}
        }'::jsonb || $6::jsonb
    ) as n
where p.id = $4::uuid
    and p.organization_id = $2::uuid and p.deleted_at is null
    and ($3::uuid is null or p.workspace_id = $3::uuid) and $5::uuid is null
    and not exists (
        select from app.entity_keys as k
        where k.organization_id = $2::uuid and k.type = 'test_case'
            and k.id >= $8::uuid and substr(k.id::text, 15, 14) = $7::text
    )
returning to_jsonb(t) - 'search'
