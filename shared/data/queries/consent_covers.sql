select exists (
    select
    from app.oauth_consents
    -- Row-level security asks for the same; said here, it finds the index.
    where user_id = app.user_id()
        and client_id = $1
        and scopes @> array(select jsonb_array_elements_text($2::jsonb))
)
