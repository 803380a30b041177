with page as (
    select k.type, k.id, '' as place from app.entity_keys as k
    where k.id = $1::uuid and k.organization_id = $2::uuid and k.deleted_at is null
)
