insert into app.blocks as t (
    id, organization_id, workspace_id, project_id, document_id, kind, position, level, content,
    attributes
)
select
    $1::uuid, p.organization_id, p.workspace_id, p.id, $5::uuid, n.kind,
    coalesce(n.position, (
        select coalesce(max(b.position), 0) + 1024 from app.blocks as b where b.document_id = $5::uuid
    )),
    n.level, coalesce(n.content, ''), n.attributes
from app.projects as p,
    (
        select '{"kind": "text", "description": "", "attributes": {}}'::jsonb
            || $6::jsonb as given
    ) as g,
    jsonb_populate_record(
        null::app.blocks, g.given || jsonb_build_object('content', g.given -> 'description')
    ) as n
where p.id = coalesce($4::uuid, (select o.project_id from app.documents as o where o.id = $5::uuid))
    and p.organization_id = $2::uuid and p.deleted_at is null
    and ($3::uuid is null or p.workspace_id = $3::uuid)
    and not exists (
        select from app.entity_keys as k
        where k.organization_id = $2::uuid and k.type = 'block'
            and k.id >= $8::uuid and substr(k.id::text, 15, 14) = $7::text
    )
returning to_jsonb(t) - 'search'
