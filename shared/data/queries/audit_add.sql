insert into app.audit_events (hash, ledger, number, prev, seal, key_id, subject, event)
select hash, ledger, number, prev, seal, key_id, subject, event
from jsonb_to_recordset($1::jsonb) as record (
    hash text, ledger text, number bigint, prev text, seal text, key_id smallint, subject text, event text
)
order by number
on conflict (hash) do nothing
