update app.workflows as w set deleted_at = now()
where w.id = $1::uuid and w.organization_id = $2::uuid and w.deleted_at is null
    and ($3::bigint is null or w.version = $3::bigint)
returning w.name
