insert into app.workspaces as w (id, organization_id, name, description)
select $1::uuid, $2::uuid, $3::text, $4::text
where not exists (
        select from app.workspaces as o
        where o.organization_id = $2::uuid
            and o.id >= $6::uuid and substr(o.id::text, 15, 14) = $5::text
    )
returning to_jsonb(w)
