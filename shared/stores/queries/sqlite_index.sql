create index if not exists ledgers_due on ledgers (due) where due is not null
