select jsonb_build_object(
    'workspace', to_jsonb(w),
    'entities', (
        select jsonb_object_agg(c.type, c.n) from (
            select k.type, count(*) as n from app.entity_keys as k
            where k.workspace_id = w.id and k.deleted_at is null and k.type <> 'workflow'
            group by k.type
        ) as c
    ),
    'relationships', (
        select jsonb_object_agg(c.kind, c.n) from (
            select r.kind, count(*) as n from app.live_relationships as r
            where r.workspace_id = w.id
            group by r.kind
        ) as c
    ),
    'workflows', (
        select count(*) from app.entity_keys as k
        where k.workspace_id = w.id and k.deleted_at is null and k.type = 'workflow'
    ),
    'members', (select count(*) from app.memberships as m where m.organization_id = w.organization_id),
    'role', (
        select m.role from app.memberships as m
        where m.organization_id = w.organization_id and m.user_id = app.user_id()
    )
)
from app.workspaces as w
where w.id = $1::uuid and w.organization_id = $2::uuid and w.deleted_at is null
