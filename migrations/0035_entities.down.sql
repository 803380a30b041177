set role atoms_owner;

drop function app.search_entities(text, uuid, uuid, text[], integer, integer);
drop view app.live_relationships;
drop view app.entities;

reset role;
