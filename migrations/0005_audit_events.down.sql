set role atoms_owner;

drop table app.audit_events;

reset role;
