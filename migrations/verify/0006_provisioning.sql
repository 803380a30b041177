do $$
declare
    provision regprocedure := to_regprocedure('app.provision_member(text, text, text, uuid)');
begin
    if provision is null or not (select prosecdef from pg_proc where oid = provision) then
        raise exception '0006_provisioning: provision_member is missing or not security definer';
    end if;
    if not has_function_privilege('atoms_service', provision, 'execute')
        or has_function_privilege('authenticated', provision, 'execute')
        or has_function_privilege('authenticator', provision, 'execute') then
        raise exception '0006_provisioning: wrong grants on provision_member';
    end if;
end
$$;
