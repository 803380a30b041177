-- The roles stay: they belong to the cluster, other databases may use them, and the password of
-- authenticator was given by hand.

set role atoms_owner;

drop function app.touch();
drop function app.next_version();
drop function app.role_rank(text);
drop function app.user_id();
drop schema app;

reset role;
