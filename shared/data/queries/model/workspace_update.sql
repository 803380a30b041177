update app.workspaces as w set (name, description) = (
    select n.name, n.description from jsonb_populate_record(w, $4::jsonb) as n
)
where w.id = $1::uuid and w.organization_id = $2::uuid and w.deleted_at is null
    and ($3::bigint is null or w.version = $3::bigint)
returning to_jsonb(w)
