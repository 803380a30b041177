set role atoms_owner;

drop table app.ledgers;

reset role;
