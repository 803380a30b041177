-- The oldest that nobody makes, or whose maker is not heard of any more.
update app.exports as e set status = 'running', started_at = now()
where e.id = (
    select o.id from app.exports as o
    where o.status = 'queued' or o.status = 'running' and o.started_at < now() - interval '10 minutes'
    order by o.id
    limit 1
    for update skip locked
)
returning to_jsonb(e) - 'content'
