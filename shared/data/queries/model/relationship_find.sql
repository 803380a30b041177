select to_jsonb(r) from app.live_relationships as r
where r.id = $1::uuid and r.organization_id = $2::uuid
