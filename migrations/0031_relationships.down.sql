set role atoms_owner;

drop table app.relationships;
drop table app.hierarchy_guards;
drop table app.relationship_rules;
drop function app.require_no_cycle();
drop function app.resolve_ends();

reset role;
