-- The session ledgers of deployments that keep them in Postgres: one document per user, read and
-- replaced as a whole by the service. Nobody else sees them.

set role atoms_owner;

create table app.ledgers (
    -- A keyed hash: it tells nothing about the user.
    address text primary key
        constraint ledgers_address_form check (address ~ '^[0-9a-f]{32}$'),
    -- JSON, as text: the database does not look inside, and jsonb would refuse some of it.
    document text not null
        constraint ledgers_document_length check (octet_length(document) <= 4194304),
    -- Names the last write. Whoever replaces the document has to know it.
    version text not null
        constraint ledgers_version_length check (char_length(version) between 1 and 100),
    -- When there is work to do for the ledger, in milliseconds since 1970.
    due_at bigint
);

create index ledgers_due_at on app.ledgers (due_at) where due_at is not null;

alter table app.ledgers enable row level security;
alter table app.ledgers force row level security;

create policy service_read on app.ledgers for select to atoms_service using (true);
create policy service_add on app.ledgers for insert to atoms_service with check (true);
create policy service_change on app.ledgers for update to atoms_service
    using (true) with check (true);
create policy service_remove on app.ledgers for delete to atoms_service using (true);

grant select, insert, update, delete on app.ledgers to atoms_service;

reset role;
