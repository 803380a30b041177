select to_jsonb(w) from app.workspaces as w
where w.organization_id = $1::uuid and w.id >= $3::uuid and substr(w.id::text, 15, 14) = $2::text
