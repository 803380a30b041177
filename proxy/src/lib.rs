//! A small SQL-over-HTTP proxy for plain Postgres.
