-- What was created with the same idempotency key.
with page as (
    select k.type, k.id, '' as place from app.entity_keys as k
    where k.organization_id = $1::uuid and k.type = $2::text
        and k.id >= $4::uuid and substr(k.id::text, 15, 14) = $3::text
)
