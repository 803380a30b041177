select
    json_build_object(
        'client_id', client_id,
        'name', name,
        'kind', kind,
        'secret_hashes', secret_hashes,
        'first_party', first_party,
        'scopes', scopes,
        'grant_types', grant_types,
        'introspect_audiences', introspect_audiences,
        'disabled', disabled,
        'policy', policy,
        'redirect_uris', redirect_uris,
        'auth_method', auth_method,
        'jwks', jwks,
        'jwks_uri', jwks_uri,
        'client_uri', client_uri,
        'logo_uri', logo_uri,
        'software_id', software_id,
        'dpop_bound', dpop_bound,
        'require_pushed', require_pushed,
        'origin', origin,
        'expires_at', (extract(epoch from expires_at) * 1000)::bigint
    ),
    registration_hash
from app.oauth_clients
where client_id = $1
