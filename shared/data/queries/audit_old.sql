with bounds as (
    select
        ledger,
        min(number) filter (where occurred_at >= to_timestamp($1::double precision / 1000)) as kept
    from app.audit_events
    where ledger > $2::text
    group by ledger
    having min(occurred_at) < to_timestamp($1::double precision / 1000)
),
alone as (
    select event.ledger, event.number
    from app.audit_events as event
    join bounds on bounds.ledger = event.ledger and (bounds.kept is null or event.number < bounds.kept)
    group by event.ledger, event.number
    having count(*) = 1
),
ends as (
    select ledger, max(number) as number
    from alone
    group by ledger
    order by ledger
    limit $3::int
)
select json_build_object(
    'row', json_build_object(
        'hash', event.hash,
        'ledger', event.ledger,
        'number', event.number,
        'prev', event.prev,
        'seal', event.seal,
        'key_id', event.key_id,
        'subject', event.subject,
        'event', event.event
    ),
    'count', (
        select count(*) from app.audit_events as old
        where old.ledger = event.ledger and old.number <= event.number
    )
)::text
from ends
join app.audit_events as event on event.ledger = ends.ledger and event.number = ends.number
order by event.ledger
