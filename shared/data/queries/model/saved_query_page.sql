select to_jsonb(q) from app.saved_queries as q
where q.organization_id = $1::uuid and q.workspace_id = $2::uuid and q.deleted_at is null
    and ($3::uuid is null or q.id > $3::uuid)
order by q.id
limit $4::int
