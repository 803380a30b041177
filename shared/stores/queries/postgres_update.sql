update app.ledgers set document = $2, version = $3, due_at = $4::bigint
where address = $1 and version = $5
returning 1
