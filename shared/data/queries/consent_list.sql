select json_build_object(
    'client_id', client_id,
    'client_name', client_name,
    'scopes', scopes,
    'since', extract(epoch from created_at)::bigint
)
from app.oauth_consents
where user_id = app.user_id()
order by updated_at desc, client_id
-- More than anybody looks through; who has more disconnects some and sees the rest.
limit 200
