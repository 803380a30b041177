-- What is in the schemas of ours, and the roles: a key and a definition each, so that two databases can be
-- compared whatever they are called, whoever migrated them and whichever version of Postgres runs them.
-- Needs the search path pg_catalog: then every other name is printed with its schema.
with
schemas as (
    select * from pg_namespace where nspname = 'app' or pg_get_userbyid(nspowner) = 'atoms_owner'
),
roles as (
    select * from pg_roles
    where rolname in ('authenticator', 'authenticated', 'atoms_service', 'atoms_owner')
        or oid in (select roleid from pg_auth_members where member = to_regrole('authenticator')::oid)
),
-- What an extension brings is the extension's business.
of_extensions as (
    select classid, objid from pg_depend where deptype = 'e'
),
relations as (
    select
        r.*,
        case r.relkind
            when 'r' then 'table' when 'p' then 'table' when 'v' then 'view' when 'm' then 'materialized view'
            when 'S' then 'sequence' when 'f' then 'foreign table' when 'c' then 'composite type'
        end || ' ' || r.oid::regclass::text as key
    from pg_class as r
    where r.relnamespace in (select oid from schemas) and r.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c')
        and ('pg_class'::regclass, r.oid) not in (select * from of_extensions)
),
functions as (
    select
        f.*,
        case f.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end
            || ' ' || f.oid::regprocedure::text as key
    from pg_proc as f
    where f.pronamespace in (select oid from schemas)
        and ('pg_proc'::regclass, f.oid) not in (select * from of_extensions)
),
-- Not the types that come with tables and arrays.
types as (
    select t.*, 'type ' || t.oid::regtype::text as key
    from pg_type as t
    where t.typnamespace in (select oid from schemas) and t.typtype in ('e', 'd', 'r', 'b')
        and not exists (select from pg_type as element where element.typarray = t.oid)
        and ('pg_type'::regclass, t.oid) not in (select * from of_extensions)
),
-- What somebody else than the owner may do. An empty list of rights means the defaults.
grants as (
    select 'schema ' || nspname as key, nspowner as owner, coalesce(nspacl, acldefault('n', nspowner)) as acl, null as part
    from schemas
    union all
    select key, relowner, coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner)), null
    from relations where relkind <> 'c'
    union all
    select key, relowner, attacl, quote_ident(attname)
    from relations join pg_attribute on attrelid = relations.oid
    where attacl is not null and not attisdropped
    union all
    select key, proowner, coalesce(proacl, acldefault('f', proowner)), null from functions
    union all
    select key, typowner, coalesce(typacl, acldefault('T', typowner)), null from types
    union all
    select
        concat_ws(' ', 'default privileges of', quote_ident(pg_get_userbyid(defaclrole)), 'in ' || nspname, 'on',
            case defaclobjtype
                when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
                when 'T' then 'types' when 'n' then 'schemas' else defaclobjtype::text end),
        defaclrole, defaclacl, null
    from pg_default_acl left join pg_namespace on pg_namespace.oid = defaclnamespace
    where defaclnamespace in (select oid from schemas) or pg_get_userbyid(defaclrole) = 'atoms_owner'
),
rights as (
    select
        key || ' grant to ' || case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as key,
        lower(privilege_type) || coalesce(' (' || string_agg(part, ', ' order by part collate "C") || ')', '')
            || case when is_grantable then ' with grant option' else '' end as privilege
    from grants, aclexplode(acl)
    where grantee <> owner
    group by grants.key, grantee, privilege_type, is_grantable, part is null
)

select
    'role ' || quote_ident(rolname) as key,
    concat_ws(' ',
        case when rolcanlogin then 'login' else 'nologin' end,
        case when rolinherit then 'inherit' else 'noinherit' end,
        case when rolsuper then 'superuser' end,
        case when rolbypassrls then 'bypassrls' end,
        case when rolcreaterole then 'createrole' end,
        case when rolcreatedb then 'createdb' end,
        case when rolreplication then 'replication' end) as definition
from roles
union all
select
    format('role %I member of %I', pg_get_userbyid(member), pg_get_userbyid(roleid)),
    case when bool_or(admin_option) then 'with admin option' else '' end
from pg_auth_members
where member in (select oid from roles)
    -- Those who migrate become the owner, and have these rights.
    or roleid in (select oid from roles)
        and member not in (select oid from pg_roles where rolsuper or rolcreaterole)
group by member, roleid

union all
select 'schema ' || quote_ident(nspname), 'owner ' || quote_ident(pg_get_userbyid(nspowner)) from schemas

union all
select 'extension ' || quote_ident(extname), 'in schema ' || extnamespace::regnamespace::text
from pg_extension where extnamespace in (select oid from schemas)

union all
select
    key,
    concat_ws(E'\n',
        'owner ' || quote_ident(pg_get_userbyid(relowner)),
        case when relrowsecurity then 'row level security enabled' end,
        case when relforcerowsecurity then 'row level security forced' end,
        case relpersistence when 'u' then 'unlogged' when 't' then 'temporary' end,
        case when relispartition then 'partition ' || pg_get_expr(relpartbound, oid) end,
        case when relkind = 'p' then 'partition by ' || pg_get_partkeydef(oid) end,
        'inherits ' || (
            select string_agg(inhparent::regclass::text, ', ' order by inhseqno)
            from pg_inherits where inhrelid = relations.oid),
        'with (' || array_to_string(reloptions, ', ') || ')',
        case when relkind in ('v', 'm') then pg_get_viewdef(oid) end,
        (select format('%s start %s increment %s min %s max %s cache %s%s', seqtypid::regtype, seqstart,
                seqincrement, seqmin, seqmax, seqcache, case when seqcycle then ' cycle' else '' end)
            from pg_sequence where seqrelid = relations.oid))
from relations

union all
select
    format('%s column %I', key, attname),
    concat_ws(' ',
        format_type(atttypid, atttypmod),
        case when attcollation <> typcollation then 'collate ' || attcollation::regcollation::text end,
        case when attnotnull then 'not null' end,
        case
            when attgenerated = 's' then 'generated always as (' || pg_get_expr(adbin, adrelid) || ') stored'
            when attgenerated <> '' then 'generated always as (' || pg_get_expr(adbin, adrelid) || ') virtual'
            else 'default ' || pg_get_expr(adbin, adrelid)
        end,
        case attidentity when 'a' then 'generated always as identity' when 'd' then 'generated by default as identity' end)
from relations
join pg_attribute on attrelid = relations.oid and attnum > 0 and not attisdropped
join pg_type on pg_type.oid = atttypid
left join pg_attrdef on adrelid = attrelid and adnum = attnum
where relkind <> 'S'

union all
-- Since Postgres 18 NOT NULL is a constraint, too; it is told with the column.
select format('%s constraint %I', coalesce(relations.key, types.key), conname), pg_get_constraintdef(c.oid)
from pg_constraint as c
left join relations on relations.oid = conrelid
left join types on types.oid = contypid
where coalesce(relations.key, types.key) is not null and contype not in ('n', 't')

union all
select
    format('%s index %I', key, index.relname),
    pg_get_indexdef(indexrelid) || case when indisvalid then '' else E'\nnot valid' end
from pg_index
join relations on relations.oid = indrelid
join pg_class as index on index.oid = indexrelid

union all
select
    format('%s trigger %I', key, tgname),
    pg_get_triggerdef(t.oid) || case tgenabled
        when 'O' then '' when 'D' then E'\ndisabled' when 'R' then E'\nreplica' else E'\nalways' end
from pg_trigger as t
join relations on relations.oid = tgrelid
where not tgisinternal

union all
select
    format('%s policy %I', key, polname),
    concat_ws(E'\n',
        format('%s for %s to %s',
            case when polpermissive then 'permissive' else 'restrictive' end,
            case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
            (select string_agg(case role when 0 then 'public' else quote_ident(pg_get_userbyid(role)) end, ', '
                order by pg_get_userbyid(role) collate "C") from unnest(polroles) as role)),
        'using (' || pg_get_expr(polqual, polrelid) || ')',
        'with check (' || pg_get_expr(polwithcheck, polrelid) || ')')
from pg_policy
join relations on relations.oid = polrelid

union all
select format('%s rule %I', key, rulename), pg_get_ruledef(r.oid)
from pg_rewrite as r
join relations on relations.oid = ev_class
where rulename <> '_RETURN'

union all
select
    key,
    'owner ' || quote_ident(pg_get_userbyid(proowner)) || E'\n'
        || case when prokind in ('f', 'p', 'w') then pg_get_functiondef(oid) else 'returns ' || prorettype::regtype end
from functions

union all
select
    key,
    concat_ws(E'\n',
        'owner ' || quote_ident(pg_get_userbyid(typowner)),
        case typtype when 'e' then 'enum' when 'd' then 'domain' when 'r' then 'range' else 'base type' end,
        case when typtype = 'd' then concat_ws(' ', format_type(typbasetype, typtypmod),
            case when typnotnull then 'not null' end, 'default ' || typdefault) end,
        (select string_agg(quote_literal(enumlabel), E'\n' order by enumsortorder) from pg_enum where enumtypid = types.oid))
from types

union all
select key, string_agg(privilege, E'\n' order by privilege collate "C") from rights group by key
