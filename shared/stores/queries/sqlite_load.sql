select document, version, due from ledgers where address = ?1
