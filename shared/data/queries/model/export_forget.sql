with old as (
    select e.id from app.exports as e where e.expires_at < now() order by e.expires_at limit $1::int
)
delete from app.exports as e using old where e.id = old.id
returning e.id
