select
    set_config('role', 'atoms_service', true),
    set_config('request.jwt.claims', '', true),
    set_config('TimeZone', 'UTC', true)
