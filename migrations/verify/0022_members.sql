do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'invitations'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0022_members: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'invitations_accepted_whole', 'invitations_email_form', 'invitations_expires_at_range',
        'invitations_id_version', 'invitations_one_end', 'invitations_organization_id_fkey',
        'invitations_pkey', 'invitations_role_known', 'invitations_token_hash_form',
        'invitations_token_hash_unique'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0022_members: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'invitations_open', 'invitations_organization_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0022_members: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'invitations record', 'invitations revoke', 'invitations stamp', 'memberships record',
        'organizations next_version', 'organizations record'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0022_members: triggers are missing: %', found;
    end if;

    -- (function, whether it runs as the owner, whether people may call it)
    select string_agg(name, ', ') into found
    from (values
        ('app.accept_invitation(text)', true, true),
        ('app.require_other_owner(uuid, text)', true, false),
        ('app.change_role(uuid, text, text)', true, true),
        ('app.remove_member(uuid, text)', true, true),
        ('app.rename_organization(uuid, text, bigint)', true, true),
        ('app.revoke_invitation()', false, false)
    ) as expected (name, definer, callable)
    where not exists (
        select from pg_proc
        where oid = to_regprocedure(name) and prosecdef = definer
            and has_function_privilege('authenticated', oid, 'execute') = callable
            and not has_function_privilege('authenticator', oid, 'execute')
    );
    if found is not null then
        raise exception '0022_members: functions are missing, run as another or are granted to others: %', found;
    end if;
end
$$;
