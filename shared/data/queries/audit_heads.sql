select json_build_object(
    'ledger', ledger,
    'number', number,
    'hash', hash,
    'seal', seal,
    'key_id', key_id
)::text
from app.audit_heads
where ledger > $1::text
order by ledger
limit $2::int
