create table if not exists ledgers (
    address text primary key,
    document text not null,
    version text not null,
    due integer
) without rowid
