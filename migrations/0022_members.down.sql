set role atoms_owner;

drop function app.rename_organization(uuid, text, bigint);
drop function app.remove_member(uuid, text);
drop function app.change_role(uuid, text, text);
drop function app.require_other_owner(uuid, text);
drop function app.accept_invitation(text);
drop table app.invitations;
drop function app.revoke_invitation();
drop trigger record on app.memberships;
drop trigger record on app.organizations;
drop trigger next_version on app.organizations;
alter table app.organizations drop column version;

reset role;
