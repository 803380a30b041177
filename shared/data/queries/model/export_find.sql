select to_jsonb(e) from app.exports as e
where e.id = $1::uuid and e.organization_id = $2::uuid and e.expires_at > now()
