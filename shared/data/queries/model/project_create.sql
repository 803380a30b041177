insert into app.projects as t (
    id, organization_id, workspace_id, name, description, status, attributes
)
select
    $1::uuid, p.organization_id, p.id, n.name, n.description, n.status, n.attributes
from app.workspaces as p,
    (
        select '{"status": "active", "attributes": {}}'::jsonb
            || $6::jsonb as given
    ) as g,
    jsonb_populate_record(
        null::app.projects, g.given || jsonb_build_object('name', g.given -> 'title')
    ) as n
where p.id = $3::uuid and p.organization_id = $2::uuid and p.deleted_at is null
    and $4::uuid is null and $5::uuid is null
    and not exists (
        select from app.entity_keys as k
        where k.organization_id = $2::uuid and k.type = 'project'
            and k.id >= $8::uuid and substr(k.id::text, 15, 14) = $7::text
    )
returning to_jsonb(t) - 'search'
