select to_jsonb(q) from app.saved_queries as q
where q.workspace_id = $1::uuid and q.organization_id = $2::uuid
    and q.id >= $4::uuid and substr(q.id::text, 15, 14) = $3::text
