insert into app.workflow_step_results as s (
    organization_id, workspace_id, workflow_id, run_id, step_id, number, attempt, status, output, error,
    started_at, finished_at
)
select
    r.organization_id, r.workspace_id, r.workflow_id, r.id, d.id, $3::int, $4::smallint, $5::text, $6::jsonb,
    $7::text,
    case when $5::text <> 'pending' then now() end,
    case when $5::text in ('succeeded', 'failed', 'skipped', 'cancelled') then now() end
from app.workflow_runs as r
join app.workflow_steps as d on d.workflow_id = r.workflow_id and d.number = $3::int
where r.id = $1::uuid and r.organization_id = $2::uuid and r.status in ('pending', 'running', 'waiting')
on conflict (run_id, number, attempt) do update set
    status = excluded.status,
    output = excluded.output,
    error = excluded.error,
    started_at = coalesce(s.started_at, excluded.started_at),
    finished_at = excluded.finished_at
returning to_jsonb(s)
