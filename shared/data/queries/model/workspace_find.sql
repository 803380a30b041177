select to_jsonb(w) from app.workspaces as w
where w.id = $1::uuid and w.organization_id = $2::uuid and w.deleted_at is null
