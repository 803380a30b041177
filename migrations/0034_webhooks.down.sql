set role atoms_owner;

drop trigger announce on app.change_events;
drop function app.announce_change();
drop table app.webhook_deliveries;
drop table app.webhook_endpoints;

reset role;
