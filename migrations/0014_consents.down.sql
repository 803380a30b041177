set role atoms_owner;

drop table app.oauth_consents;

reset role;
