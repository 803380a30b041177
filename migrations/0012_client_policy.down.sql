set role atoms_owner;

alter table app.oauth_clients drop column policy;

reset role;
