set role atoms_owner;

drop table app.workspaces;

reset role;
