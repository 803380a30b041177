select json_build_object(
    'hash', hash,
    'number', number,
    'kind', kind,
    'at', (extract(epoch from occurred_at) * 1000)::bigint,
    'session_id', session_id,
    'client_id', client_id,
    'organization_id', organization_id,
    'actor', actor,
    'outcome', outcome,
    'reason', reason,
    'device', device,
    'network', network,
    'request_id', request_id,
    'trace_id', trace_id,
    'count', count
)::text
from app.audit_events
-- Row-level security asks for the same; said here, it finds the index.
where subject = app.user_id()
    and ($1::text is null or session_id = $1::text)
    and ($2::jsonb is null or kind in (select jsonb_array_elements_text($2::jsonb)))
    and ($3::text is null or outcome = $3::text)
    and ($4::text is null or occurred_at >= to_timestamp($4::double precision / 1000))
    and ($5::text is null or occurred_at < to_timestamp($5::double precision / 1000))
    and ($6::text is null or (occurred_at, hash) < (to_timestamp($6::double precision / 1000), $7::text))
order by occurred_at desc, hash desc
limit $8::int
