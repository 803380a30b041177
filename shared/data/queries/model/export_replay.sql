select to_jsonb(e) - 'content' from app.exports as e
where e.created_by = app.user_id() and e.organization_id = $1::uuid
    and e.id >= $3::uuid and substr(e.id::text, 15, 14) = $2::text
