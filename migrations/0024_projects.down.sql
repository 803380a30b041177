set role atoms_owner;

drop trigger within on app.workspaces;
drop table app.projects;

reset role;
