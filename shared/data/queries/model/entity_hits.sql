,
hit as (
    select e.*, ts_rank_cd(e.search, query)::real as rank
    from wanted as e, websearch_to_tsquery('english', $13::text) as query
    where e.search @@ query
)
