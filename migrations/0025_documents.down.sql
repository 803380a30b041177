set role atoms_owner;

drop trigger within on app.projects;
drop table app.blocks;
drop table app.documents;

reset role;
