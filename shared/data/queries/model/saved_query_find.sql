select to_jsonb(q) from app.saved_queries as q
where q.id = $1::uuid and q.organization_id = $2::uuid and q.deleted_at is null
