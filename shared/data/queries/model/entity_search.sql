-- The best first.
select
    h.rank, h.type, h.id, h.workspace_id, h.project_id, h.title, h.status, h.priority, h.external_id,
    -- Long texts are looked at as far as a reader would.
    ts_headline('english', left(coalesce(h.body, h.title), 10000), websearch_to_tsquery('english', $13::text),
        'StartSel=**, StopSel=**, MaxFragments=2, MaxWords=25, MinWords=8, FragmentDelimiter=" … "')
from (
    select * from hit
    where $15::uuid is null or hit.rank < $14::real or hit.rank = $14::real and hit.id > $15::uuid
    order by hit.rank desc, hit.id
    limit $16::int
) as h
order by h.rank desc, h.id
