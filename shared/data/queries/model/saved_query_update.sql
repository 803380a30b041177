update app.saved_queries as q set (name, description, query, visibility) = (
    select n.name, n.description, n.query, n.visibility from jsonb_populate_record(q, $4::jsonb) as n
)
where q.id = $1::uuid and q.organization_id = $2::uuid and q.deleted_at is null
    and ($3::bigint is null or q.version = $3::bigint)
returning to_jsonb(q)
