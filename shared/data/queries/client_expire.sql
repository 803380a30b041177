with expired as (
    delete from app.oauth_clients
    where origin = 'dynamic' and expires_at < now()
    returning client_id
)
select count(*) from expired
