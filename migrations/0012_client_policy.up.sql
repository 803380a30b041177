-- What a client has of its own of the numbers of sessions, under the names of the settings; those that
-- are absent are the deployment's. Which members there are and what they may be is for the service to
-- say: it refuses the client as a whole if it cannot read them.

set role atoms_owner;

alter table app.oauth_clients
    add column policy jsonb
        constraint oauth_clients_policy_object check (jsonb_typeof(policy) = 'object');

reset role;
