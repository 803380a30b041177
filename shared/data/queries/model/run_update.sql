update app.workflow_runs as r set
    status = $4::text,
    output = coalesce($5::jsonb, r.output),
    error = coalesce($6::text, r.error),
    finished_at = case when $4::text in ('succeeded', 'failed', 'cancelled') then now() end
where r.id = $1::uuid and r.organization_id = $2::uuid and ($3::bigint is null or r.version = $3::bigint)
returning to_jsonb(r) || jsonb_build_object('steps', (
    select jsonb_agg(to_jsonb(s) order by s.number, s.attempt) from app.workflow_step_results as s
    where s.run_id = r.id
))
