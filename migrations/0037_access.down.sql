set role atoms_owner;

do $$
declare
    r record;
begin
    for r in
        select p.tablename, p.policyname from pg_policies as p
        where p.schemaname = 'app' and (
            p.policyname in ('user_read', 'user_create', 'user_change', 'user_erase')
            or p.policyname in ('service_read', 'service_change', 'service_forget')
        ) and p.tablename in (
            'entity_keys', 'projects', 'documents', 'blocks', 'requirements', 'test_cases', 'test_runs', 'tasks',
            'relationships', 'relationship_rules', 'workflows', 'workflow_steps', 'workflow_triggers',
            'workflow_runs', 'workflow_step_results', 'saved_queries', 'query_statistics', 'exports',
            'webhook_endpoints', 'webhook_deliveries', 'change_events', 'invitations'
        )
    loop
        execute format('drop policy %I on app.%I', r.policyname, r.tablename);
        execute format('revoke all on app.%I from authenticated, atoms_service', r.tablename);
    end loop;
end
$$;

revoke update (deleted_at) on app.workspaces from authenticated;
revoke all on app.entities, app.live_relationships from authenticated;

reset role;
