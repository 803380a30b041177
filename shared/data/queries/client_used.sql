update app.oauth_clients
set expires_at = to_timestamp($2::bigint / 1000.0)
where client_id = $1 and origin = 'dynamic' and not disabled
