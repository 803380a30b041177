select app.record_query($1::uuid, $2::text, $3::text, $4::uuid, $5::boolean, $6::bigint, $7::bigint)
