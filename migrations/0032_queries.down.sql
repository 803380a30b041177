set role atoms_owner;

drop function app.record_query(uuid, text, text, uuid, boolean, bigint, bigint);
drop table app.query_statistics;
drop trigger within on app.workspaces;
create trigger within after update of deleted_at on app.workspaces
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('projects', 'workspace_id', 'workflows', 'workspace_id');
drop table app.saved_queries;

reset role;
