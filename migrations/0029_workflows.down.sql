set role atoms_owner;

drop trigger within on app.workspaces;
drop trigger within on app.projects;
create trigger within after update of deleted_at on app.workspaces
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('projects', 'workspace_id');
create trigger within after update of deleted_at on app.projects
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within(
        'documents', 'project_id', 'requirements', 'project_id', 'test_cases', 'project_id',
        'tasks', 'project_id'
    );
drop table app.workflow_triggers;
drop table app.workflow_steps;
drop table app.workflows;
drop function app.change_workflow();

reset role;
