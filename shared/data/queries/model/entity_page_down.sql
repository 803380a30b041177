,
placed as (
    select
        e.type,
        e.id,
        case $13::text
            when 'updated_at' then to_char(e.updated_at at time zone 'UTC', 'YYYYMMDDHH24MISSUS')
            when 'title' then left(lower(e.title), 100)
            when 'status' then coalesce(e.status, '')
            when 'priority'
                then case e.priority when 'critical' then '4' when 'high' then '3' when 'medium' then '2'
                    when 'low' then '1' else '0' end
            else ''
        end collate "C" as place
    from wanted as e
),
page as (
    select p.type, p.id, p.place from placed as p
    where $15::uuid is null
        -- Alone it finds its way by an index.
        or case when $13::text = 'created_at' then p.id < $15::uuid
            else (p.place, p.id) < ($14::text collate "C", $15::uuid) end
    order by p.place desc, p.id desc
    limit $16::int
)
