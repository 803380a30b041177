select to_jsonb(w) from app.workspaces as w
where w.organization_id = $1::uuid and w.deleted_at is null and ($2::uuid is null or w.id > $2::uuid)
order by w.id
limit $3::int
