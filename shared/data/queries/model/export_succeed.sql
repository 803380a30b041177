update app.exports as e set
    status = 'succeeded', content = $2::text, location = $3::text, rows = $4::bigint, finished_at = now()
where e.id = $1::uuid and e.status = 'running' and e.version = $5::bigint
returning e.id
