select json_build_object(
    'hash', hash,
    'ledger', ledger,
    'number', number,
    'prev', prev,
    'seal', seal,
    'key_id', key_id,
    'subject', subject,
    'event', event
)::text
from app.audit_events
where (ledger, number, hash) > ($1::text, $2::bigint, $3::text)
order by ledger, number, hash
limit $4::int
