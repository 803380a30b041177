set role atoms_owner;

drop function app.move_workspace(uuid, uuid, bigint);

reset role;
