insert into app.documents as t (
    id, organization_id, workspace_id, project_id, external_id, title, description, kind, status,
    attributes
)
select
    $1::uuid, p.organization_id, p.workspace_id, p.id, n.external_id, n.title, n.description, n.kind,
    n.status, n.attributes
from app.projects as p,
    jsonb_populate_record(
        null::app.documents,
        '{"kind": "specification", "status": "draft", "attributes": {}}'::jsonb || $6::jsonb
    ) as n
where p.id = $4::uuid
    and p.organization_id = $2::uuid and p.deleted_at is null
    and ($3::uuid is null or p.workspace_id = $3::uuid) and $5::uuid is null
    and not exists (
        select from app.entity_keys as k
        where k.organization_id = $2::uuid and k.type = 'document'
            and k.id >= $8::uuid and substr(k.id::text, 15, 14) = $7::text
    )
returning to_jsonb(t) - 'search'
