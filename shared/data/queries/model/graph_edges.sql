select
    to_jsonb(r)
from app.live_relationships as r
where r.organization_id = $1::uuid
    and r.source_id in (select n.id from node as n)
    and r.target_id in (select n.id from node as n)
    and ($4::text[] is null or r.kind = any ($4::text[]))
order by r.id
limit $7::int
