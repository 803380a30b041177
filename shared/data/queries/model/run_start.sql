insert into app.workflow_runs as r (
    id, organization_id, workspace_id, workflow_id, workflow_version, subject_id, subject_type, status,
    input, started_at
)
select
    $1::uuid, w.organization_id, w.workspace_id, w.id, w.version, k.id, k.type, 'running', $5::jsonb, now()
from app.workflows as w
left join app.entity_keys as k
    on k.id = $4::uuid and k.workspace_id = w.workspace_id and k.deleted_at is null
where w.id = $3::uuid and w.organization_id = $2::uuid and w.deleted_at is null
    and w.status in ('draft', 'active') and ($4::uuid is null or k.id is not null)
    and not exists (
        select from app.workflow_runs as o
        where o.workflow_id = w.id
            and o.id >= $7::uuid and substr(o.id::text, 15, 14) = $6::text
    )
returning to_jsonb(r)
