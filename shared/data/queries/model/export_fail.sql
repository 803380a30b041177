update app.exports as e set status = 'failed', error = $2::text, finished_at = now()
where e.id = $1::uuid and e.status = 'running' and e.version = $3::bigint
returning e.id
