select app.audit_retain($1::jsonb, to_timestamp($2::double precision / 1000))::text
