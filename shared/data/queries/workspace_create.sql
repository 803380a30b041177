insert into app.workspaces (id, organization_id, name, description)
values ($1::uuid, $2::uuid, $3, $4)
returning
    id,
    organization_id,
    name,
    description,
    to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    version
