-- The history is gone with it.

set role atoms_owner;

drop function app.record_change();
drop table app.change_events;

reset role;
