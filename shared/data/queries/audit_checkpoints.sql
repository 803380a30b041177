select json_build_object(
    'ledger', ledger,
    'number', number,
    'hash', hash,
    'count', count,
    'at', at,
    'seal', seal,
    'key_id', key_id
)::text
from app.audit_checkpoints
where (ledger, number) > ($1::text, $2::bigint)
order by ledger, number
limit $3::int
