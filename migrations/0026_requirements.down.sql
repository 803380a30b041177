set role atoms_owner;

drop trigger within on app.projects;
drop trigger within on app.documents;
create trigger within after update of deleted_at on app.documents
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('blocks', 'document_id');
create trigger within after update of deleted_at on app.projects
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('documents', 'project_id');
drop table app.requirements;

reset role;
