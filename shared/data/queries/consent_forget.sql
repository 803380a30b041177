delete from app.oauth_consents
where user_id = app.user_id() and client_id = $1
returning client_id
