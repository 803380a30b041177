set role atoms_owner;

drop table app.entity_keys;
drop function app.keep_entity_key();
drop policy owner_all on app.workspaces;
drop trigger record on app.workspaces;
drop trigger stamp_deletion on app.workspaces;
drop trigger stamp on app.workspaces;
alter table app.workspaces
    drop constraint workspaces_id_organization_id,
    drop column deleted_with,
    drop column deleted_by,
    drop column deleted_at,
    drop column updated_by;

reset role;
