-- Between the one that it is to follow (or the beginning) and the one that follows that now.
update app.blocks as t set position = (
    select (a.at + coalesce(
        (
            select min(f.position) from app.blocks as f
            where f.document_id = t.document_id and f.deleted_at is null and f.id <> t.id and f.position > a.at
        ),
        a.at + 2048
    )) / 2
    from (
        select coalesce(
            (select o.position from app.blocks as o where o.id = $4::uuid),
            0
        ) as at
    ) as a
)
where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
    and ($3::bigint is null or t.version = $3::bigint)
    and ($4::uuid is null or exists (
        select from app.blocks as o
        where o.id = $4::uuid and o.id <> t.id and o.document_id = t.document_id and o.deleted_at is null
    ))
returning 'block', to_jsonb(t) - 'search'
