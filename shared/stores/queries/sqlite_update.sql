update ledgers set document = ?2, version = ?3, due = ?4
where address = ?1 and version = ?5
returning 1
