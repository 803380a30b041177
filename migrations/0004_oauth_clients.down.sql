set role atoms_owner;

drop table app.oauth_clients;

reset role;
