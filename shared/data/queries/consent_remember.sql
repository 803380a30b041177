insert into app.oauth_consents as consent (client_id, client_name, scopes)
select client_id, client_name, scopes
from jsonb_to_record($1::jsonb) as record (client_id text, client_name text, scopes text[])
on conflict (user_id, client_id) do update set
    client_name = excluded.client_name,
    scopes = array(select distinct unnest(consent.scopes || excluded.scopes) order by 1)
