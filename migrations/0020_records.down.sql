set role atoms_owner;

revoke execute on function app.user_id() from atoms_service;
drop function app.delete_within();
drop function app.require_live();
drop function app.stamp_deletion();
drop function app.stamp();
drop function app.has_role(uuid, text);
drop function app.organization_ids(text);
drop function app.new_id();

reset role;
