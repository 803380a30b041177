select
    jsonb_build_object(
        'type', coalesce(
            (select jsonb_object_agg(f.type, f.n) from (
                select h.type, count(*) as n from hit as h group by h.type
            ) as f),
            '{}'
        ),
        'status', coalesce(
            (select jsonb_object_agg(f.status, f.n) from (
                select h.status, count(*) as n from hit as h where h.status is not null group by h.status
            ) as f),
            '{}'
        )
    )
