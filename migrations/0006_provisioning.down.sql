set role atoms_owner;

drop function app.provision_member(text, text, text, uuid);

reset role;
