do $$
begin
    if not exists (
        select from pg_attribute
        where attrelid = to_regclass('app.oauth_clients') and attname = 'policy'
            and atttypid = 'jsonb'::regtype and not attnotnull and not attisdropped
    ) then
        raise exception '0012_client_policy: the column policy is missing or of another type';
    end if;
    if not exists (
        select from pg_constraint
        where conrelid = to_regclass('app.oauth_clients') and conname = 'oauth_clients_policy_object'
            and convalidated
    ) then
        raise exception '0012_client_policy: a policy need not be an object';
    end if;
end
$$;
