insert into app.blocks (
    organization_id, workspace_id, project_id, document_id, kind, position, level, content, attributes
)
select
    d.organization_id, d.workspace_id, d.project_id, d.id, n.kind, coalesce(n.position, e.number * 1024),
    n.level, coalesce(n.content, ''), n.attributes
from app.documents as d,
    jsonb_array_elements($2::jsonb) with ordinality as e (block, number),
    jsonb_populate_record(
        null::app.blocks,
        '{"kind": "text", "attributes": {}}'::jsonb || e.block
            || jsonb_build_object('content', e.block -> 'description')
    ) as n
where d.id = $1::uuid
returning 1
