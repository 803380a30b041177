select document, version, due_at from app.ledgers where address = $1
