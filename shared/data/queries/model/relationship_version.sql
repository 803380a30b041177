select r.version from app.live_relationships as r
where r.id = $1::uuid and r.organization_id = $2::uuid and r.deleted_at is null
