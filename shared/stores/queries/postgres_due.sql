select address from app.ledgers where due_at <= $1::bigint order by due_at limit $2::integer
