insert into app.relationships as r (
    id, organization_id, workspace_id, kind, source_id, target_id, target_user_id, label, attributes
)
select
    $1::uuid, k.organization_id, k.workspace_id, $4::text, k.id, $5::uuid, $6::text, $7::text, $8::jsonb
from app.entity_keys as k
where k.id = $3::uuid and k.organization_id = $2::uuid and k.deleted_at is null
    and not exists (
        select from app.relationships as o
        where o.source_id = k.id
            and o.id >= $10::uuid and substr(o.id::text, 15, 14) = $9::text
    )
returning to_jsonb(r)
