insert into app.ledgers (address, document, version, due_at)
values ($1, $2, $3, $4::bigint)
on conflict (address) do nothing
returning 1
