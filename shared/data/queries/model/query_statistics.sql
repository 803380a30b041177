select jsonb_build_object(
    'operation', s.operation,
    'executions', sum(s.executions),
    'failures', sum(s.failures),
    'rows', sum(s.rows),
    'mean_time', trunc(sum(s.total_time) / sum(s.executions)),
    'max_time', max(s.max_time),
    'last_at', max(s.last_at)
)
from app.query_statistics as s
where s.organization_id = $1::uuid and s.workspace_id = $2::uuid
    and s.day > (now() at time zone 'UTC')::date - $3::int
group by s.operation
order by sum(s.total_time) desc, s.operation
