select address from ledgers where due <= ?1 order by due limit ?2
