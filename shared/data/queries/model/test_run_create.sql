insert into app.test_runs as t (
    id, organization_id, workspace_id, project_id, test_case_id, status, environment, build, notes,
    results, started_at, finished_at, attributes
)
select
    $1::uuid, p.organization_id, p.workspace_id, p.id, $5::uuid, n.status, n.environment, n.build,
    n.notes, n.results, n.started_at, n.finished_at, n.attributes
from app.projects as p,
    (
        select '{"status": "planned", "results": [], "attributes": {}}'::jsonb
            || $6::jsonb as given
    ) as g,
    jsonb_populate_record(
        null::app.test_runs, g.given || jsonb_build_object('notes', g.given -> 'description')
    ) as n
where p.id = coalesce($4::uuid, (select o.project_id from app.test_cases as o where o.id = $5::uuid))
    and p.organization_id = $2::uuid and p.deleted_at is null
    and ($3::uuid is null or p.workspace_id = $3::uuid)
    and not exists (
        select from app.entity_keys as k
        where k.organization_id = $2::uuid and k.type = 'test_run'
            and k.id >= $8::uuid and substr(k.id::text, 15, 14) = $7::text
    )
returning to_jsonb(t) - 'search' || (
        select jsonb_build_object('title', c.title) from app.test_cases as c where c.id = t.test_case_id
    )
