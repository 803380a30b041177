select to_jsonb(e) - 'content' from app.exports as e
where e.organization_id = $1::uuid and e.workspace_id = $2::uuid and e.expires_at > now()
    and ($3::uuid is null or e.id > $3::uuid)
order by e.id
limit $4::int
