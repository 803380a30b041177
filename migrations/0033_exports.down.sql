set role atoms_owner;

drop table app.exports;

reset role;
