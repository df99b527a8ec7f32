-- What PostgreSQL does not have or defines differently. Runs once, in the template of every database.
-- The schema comes before pg_catalog in the search path, so its functions take precedence.

create schema redshift;
grant usage on schema redshift to public;
grant create on schema public to public;


-- ---------- called by the proxy

-- A refused statement is replaced by this call, which raises a database error.
create function redshift.refuse(message text) returns void language plpgsql as $$
begin
    raise exception using message = message, errcode = 'feature_not_supported';
end $$;


-- ---------- dates

create function redshift.getdate() returns timestamp language sql stable as
    $$ select date_trunc('second', statement_timestamp() at time zone 'UTC') $$;

-- The edits replace `sysdate` by this call.
create function redshift.sysdate() returns timestamp language sql stable as
    $$ select transaction_timestamp() at time zone 'UTC' $$;

create function redshift.convert_timezone(target text, instant timestamp) returns timestamp language sql immutable as
    $$ select (instant at time zone 'UTC') at time zone target $$;

create function redshift.convert_timezone(source text, target text, instant timestamp)
    returns timestamp language sql immutable as
    $$ select (instant at time zone source) at time zone target $$;

create function redshift.no_datepart(part text) returns bigint language plpgsql immutable as $$
begin
    raise exception 'the stand-in does not support datepart "%" here', part using errcode = 'feature_not_supported';
end $$;

-- Counts boundaries, not elapsed time. Weeks are not supported: use date_trunc.
create function redshift.datediff(part text, start timestamp, finish timestamp)
    returns bigint language sql immutable as $$
select case
    when part in ('microsecond', 'microseconds', 'us')
        then (extract(epoch from finish - start) * 1000000)::bigint
    when part in ('millisecond', 'milliseconds', 'ms')
        then (extract(epoch from date_trunc('millisecond', finish) - date_trunc('millisecond', start)) * 1000)::bigint
    when part in ('second', 'seconds', 's')
        then extract(epoch from date_trunc('second', finish) - date_trunc('second', start))::bigint
    when part in ('minute', 'minutes', 'm')
        then (extract(epoch from date_trunc('minute', finish) - date_trunc('minute', start)) / 60)::bigint
    when part in ('hour', 'hours', 'h')
        then (extract(epoch from date_trunc('hour', finish) - date_trunc('hour', start)) / 3600)::bigint
    when part in ('day', 'days', 'd') then (finish::date - start::date)::bigint
    when part in ('month', 'months', 'mon')
        then (extract(year from finish) * 12 + extract(month from finish)
            - extract(year from start) * 12 - extract(month from start))::bigint
    when part in ('year', 'years', 'y') then (extract(year from finish) - extract(year from start))::bigint
    else redshift.no_datepart(part)
end $$;

create function redshift.datediff(part text, start date, finish date) returns bigint language sql immutable as
    $$ select redshift.datediff(part, start::timestamp, finish::timestamp) $$;

-- Returns a timestamp also for a date.
create function redshift.dateadd(part text, number bigint, start timestamp)
    returns timestamp language sql immutable as $$
select case
    when part in (
        'microsecond', 'microseconds', 'millisecond', 'milliseconds', 'second', 'seconds', 'minute', 'minutes',
        'hour', 'hours', 'day', 'days', 'week', 'weeks', 'month', 'months', 'year', 'years'
    ) then start + number * ('1 ' || part)::interval
    else to_timestamp(redshift.no_datepart(part))::timestamp
end $$;

create function redshift.dateadd(part text, number bigint, start date) returns timestamp language sql immutable as
    $$ select redshift.dateadd(part, number, start::timestamp) $$;

create function redshift.last_day(instant timestamp) returns date language sql immutable as
    $$ select (date_trunc('month', instant) + interval '1 month' - interval '1 day')::date $$;


-- ---------- texts

-- Returns an empty text where PostgreSQL returns null: if nothing matches.
create function redshift.regexp_substr(value text, pattern text) returns text language sql immutable as
    $$ select case when value is not null then coalesce(pg_catalog.regexp_substr(value, pattern), '') end $$;

create function redshift.strtol(value text, base integer) returns bigint language sql immutable as
    $$ select case when base = 16 then ('x' || lpad(value, 16, '0'))::bit(64)::bigint end $$;

create function redshift.len(value text) returns integer language sql immutable as $$ select length(value) $$;

create function redshift.sha2(value text, bits integer) returns text language sql immutable as $$
select case bits
    when 224 then encode(sha224(convert_to(value, 'UTF8')), 'hex')
    when 256 then encode(sha256(convert_to(value, 'UTF8')), 'hex')
    when 384 then encode(sha384(convert_to(value, 'UTF8')), 'hex')
    when 512 then encode(sha512(convert_to(value, 'UTF8')), 'hex')
end $$;

-- On Redshift, concat() takes two arguments, and is null if one of them is.
create function redshift.concat(one text, other text) returns text language sql immutable as $$ select one || other $$;

create function redshift.nvl(one anycompatible, other anycompatible) returns anycompatible language sql immutable as
    $$ select coalesce(one, other) $$;

create function redshift.nvl2(value anyelement, present anycompatible, absent anycompatible)
    returns anycompatible language sql immutable as $$ select case when value is not null then present else absent end $$;


-- ---------- numbers

-- The sum of bigints is a bigint on Redshift, numeric in PostgreSQL.
create aggregate redshift.sum(bigint) (sfunc = int8pl, stype = bigint);

-- The average of integers is an integer.
create function redshift.whole_average(state bigint[]) returns bigint language sql immutable as
    $$ select state[2] / nullif(state[1], 0) $$;
create function redshift.add_to_average(state bigint[], value bigint) returns bigint[] language sql immutable as
    $$ select case when value is null then state else array[state[1] + 1, state[2] + value] end $$;
create aggregate redshift.avg(smallint)
    (sfunc = int2_avg_accum, stype = bigint[], finalfunc = redshift.whole_average, initcond = '{0,0}');
create aggregate redshift.avg(integer)
    (sfunc = int4_avg_accum, stype = bigint[], finalfunc = redshift.whole_average, initcond = '{0,0}');
create aggregate redshift.avg(bigint)
    (sfunc = redshift.add_to_average, stype = bigint[], finalfunc = redshift.whole_average, initcond = '{0,0}');


-- ---------- windows

-- Without an initial state, a strict function starts with the first value that is not null, and skips nulls.
create function redshift.keep_first(state anyelement, value anyelement) returns anyelement
    language sql immutable strict as $$ select state $$;
create function redshift.keep_last(state anyelement, value anyelement) returns anyelement
    language sql immutable strict as $$ select value $$;
create aggregate redshift.first_value_ignore_nulls(anyelement) (sfunc = redshift.keep_first, stype = anyelement);
create aggregate redshift.last_value_ignore_nulls(anyelement) (sfunc = redshift.keep_last, stype = anyelement);


-- ---------- casts

-- An explicit cast truncates, since enable_numeric_rounding is off by default. Inserted values are rounded.
create function redshift.to_scale(value numeric, modifier integer, is_explicit boolean)
    returns numeric language sql immutable strict as $$
select case
    when is_explicit and modifier >= 4
        then pg_catalog.numeric(trunc(value, (((modifier - 4) & 2047) # 1024) - 1024), modifier)
    else pg_catalog.numeric(value, modifier)
end $$;
create function redshift.to_smallint(value numeric) returns smallint language sql immutable strict as
    $$ select pg_catalog.int2(trunc(value)) $$;
create function redshift.to_integer(value numeric) returns integer language sql immutable strict as
    $$ select pg_catalog.int4(trunc(value)) $$;
create function redshift.to_bigint(value numeric) returns bigint language sql immutable strict as
    $$ select pg_catalog.int8(trunc(value)) $$;

update pg_cast set castfunc = 'redshift.to_scale'::regproc
    where castsource = 'numeric'::regtype and casttarget = 'numeric'::regtype;
update pg_cast set castfunc = 'redshift.to_smallint'::regproc
    where castsource = 'numeric'::regtype and casttarget = 'smallint'::regtype;
update pg_cast set castfunc = 'redshift.to_integer'::regproc
    where castsource = 'numeric'::regtype and casttarget = 'integer'::regtype;
update pg_cast set castfunc = 'redshift.to_bigint'::regproc
    where castsource = 'numeric'::regtype and casttarget = 'bigint'::regtype;

create function redshift.no_text(value boolean) returns text language plpgsql immutable as $$
begin
    raise exception 'cannot cast type boolean to character varying';
end $$;
create function redshift.no_varchar(value boolean) returns varchar language plpgsql immutable as
    $$ begin return redshift.no_text(value); end $$;
create function redshift.no_boolean(value text) returns boolean language plpgsql immutable as $$
begin
    raise exception 'cannot cast type character varying to boolean';
end $$;
create function redshift.no_boolean(value varchar) returns boolean language plpgsql immutable as
    $$ begin return redshift.no_boolean(value::text); end $$;

update pg_cast set castfunc = 'redshift.no_text(boolean)'::regprocedure
    where castsource = 'boolean'::regtype and casttarget = 'text'::regtype;
update pg_cast set castfunc = 'redshift.no_varchar(boolean)'::regprocedure
    where castsource = 'boolean'::regtype and casttarget = 'varchar'::regtype;
create cast (text as boolean) with function redshift.no_boolean(text);
create cast (varchar as boolean) with function redshift.no_boolean(varchar);


-- ---------- system views and functions, with the columns that the adapter and monitoring queries read

-- There are no late-binding views here.
create function pg_catalog.pg_get_late_binding_view_cols() returns setof record language sql stable as
    $$ select null::name, null::name, null::name, null::varchar, null::integer where false $$;

create view pg_catalog.svv_external_columns as
    select null::text as schemaname, null::text as tablename, null::text as columnname, null::text as external_type,
        null::integer as columnnum
    where false;

create view redshift.svv_table_info as
    select
        current_database()::text as "database",
        pg_namespace.nspname::text as "schema",
        pg_class.oid as table_id,
        pg_class.relname::text as "table",
        'N'::text as encoded,
        'AUTO(EVEN)'::text as diststyle,
        null::text as sortkey1,
        0 as max_varchar,
        null::text as sortkey1_enc,
        0 as sortkey_num,
        0::bigint as size,
        0::numeric(10, 4) as pct_used,
        null::numeric(5, 2) as unsorted,
        0::numeric(5, 2) as stats_off,
        greatest(pg_class.reltuples, 0)::numeric(38, 0) as tbl_rows,
        null::numeric(19, 2) as skew_sortkey1,
        null::numeric(19, 2) as skew_rows
    from pg_class
    inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
    where pg_class.relkind = 'r' and pg_namespace.nspname not in ('pg_catalog', 'information_schema');

create view redshift.svv_relation_privileges as
    select
        pg_namespace.nspname::text as namespace_name,
        pg_class.relname::text as relation_name,
        acl.privilege_type::text as privilege_type,
        case when acl.grantee = 0 then 'public' else pg_roles.rolname::text end as identity_name,
        case when acl.grantee = 0 then 'public' when pg_roles.rolcanlogin then 'user' else 'role' end as identity_type
    from pg_class
    inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
    cross join aclexplode(pg_class.relacl) as acl
    left join pg_roles on acl.grantee = pg_roles.oid
    where pg_namespace.nspname not in ('pg_catalog', 'information_schema', 'redshift');

create view redshift.stv_db_isolation_level as
    select datname::char(128) as db_name, 'Snapshot Isolation'::char(20) as isolation_level from pg_database;

-- Rows loaded by the last COPY of this session.
create function redshift.pg_last_copy_count() returns bigint language sql stable as
    $$ select nullif(current_setting('redshift.last_copy_count', true), '')::bigint $$;

grant select on pg_catalog.svv_external_columns to public;
grant select on all tables in schema redshift to public;
