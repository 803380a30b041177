update app.relationships as r set (label, attributes) = (
    select n.label, n.attributes from jsonb_populate_record(r, $4::jsonb) as n
)
where r.id = $1::uuid and r.organization_id = $2::uuid and r.deleted_at is null
    and ($3::bigint is null or r.version = $3::bigint)
returning to_jsonb(r)
