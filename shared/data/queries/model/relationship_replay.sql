select to_jsonb(r) from app.relationships as r
where r.source_id = $1::uuid and r.organization_id = $2::uuid
    and r.id >= $4::uuid and substr(r.id::text, 15, 14) = $3::text
