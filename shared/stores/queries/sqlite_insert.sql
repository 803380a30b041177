insert into ledgers (address, document, version, due) values (?1, ?2, ?3, ?4)
on conflict (address) do nothing
returning 1
