insert into app.audit_heads as head (ledger, number, hash, seal, key_id)
select ledger, number, hash, seal, key_id
from jsonb_to_record($1::jsonb) as record (
    ledger text, number bigint, hash text, seal text, key_id smallint
)
on conflict (ledger) do update set
    number = excluded.number,
    hash = excluded.hash,
    seal = excluded.seal,
    key_id = excluded.key_id
where head.number < excluded.number
