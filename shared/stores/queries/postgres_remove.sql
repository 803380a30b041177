delete from app.ledgers where address = $1 and version = $2 returning 1
