-- Whatever is within so many steps of an entity, the nearest first, and one more than wanted.
with recursive walk (id, depth) as (
    select k.id, 0 from app.entity_keys as k
    where k.id = $2::uuid and k.organization_id = $1::uuid and k.deleted_at is null
    union
    select n.id, w.depth + 1
    from walk as w
    cross join lateral (
        select r.target_id as id from app.live_relationships as r
        where r.source_id = w.id and r.target_id is not null and $3::text <> 'incoming'
            and ($4::text[] is null or r.kind = any ($4::text[]))
        union
        select r.source_id from app.live_relationships as r
        where r.target_id = w.id and $3::text <> 'outgoing'
            and ($4::text[] is null or r.kind = any ($4::text[]))
    ) as n
    where w.depth < $5::int
),
-- Each comes once for each depth at most, so that more rows tell of no other nodes; and a walk of which
-- no more is read goes no further.
near as (select w.id, w.depth from walk as w limit ($6::int + 1) * ($5::int + 1)),
node as (
    select n.id, min(n.depth) as depth from near as n group by n.id
    order by min(n.depth), n.id
    limit $6::int + 1
)
