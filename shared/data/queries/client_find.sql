select json_build_object(
    'client_id', client_id,
    'name', name,
    'kind', kind,
    'secret_hashes', secret_hashes,
    'first_party', first_party,
    'scopes', scopes,
    'grant_types', grant_types,
    'introspect_audiences', introspect_audiences,
    'disabled', disabled,
    'policy', policy
)
from app.oauth_clients
where client_id = $1
