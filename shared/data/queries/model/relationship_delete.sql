update app.relationships as r set deleted_at = now()
where r.id = $1::uuid and r.organization_id = $2::uuid and r.deleted_at is null
    and ($3::bigint is null or r.version = $3::bigint)
returning coalesce(r.label, r.kind)
