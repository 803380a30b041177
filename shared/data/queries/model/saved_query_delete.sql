update app.saved_queries as q set deleted_at = now()
where q.id = $1::uuid and q.organization_id = $2::uuid and q.deleted_at is null
    and ($3::bigint is null or q.version = $3::bigint)
returning q.name
