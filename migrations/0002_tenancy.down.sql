set role atoms_owner;

drop policy user_read on app.memberships;
drop policy user_read on app.organizations;
drop function app.organizations_of_user(text);
drop table app.memberships;
drop table app.organizations;

reset role;
