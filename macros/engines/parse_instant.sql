{%- macro parse_instant(text, default_zone) -%}
    {{ return(adapter.dispatch('parse_instant')(text, default_zone)) }}
{%- endmacro -%}

{#
    The pattern decides what is a timestamp, on both engines: left to themselves they disagree (DuckDB reads 24:00:00
    as the next midnight). Days that no month has are left to try_cast here. The usual notation is tried first and as it
    came: trimming and upper case cost more than all the rest. In the commonest form of it `like` says where its parts
    stand and try_strptime that they are digits and a sign, for half of what the pattern costs. Microseconds stand in for
    the slower `at time zone 'UTC'`.
#}
{%- macro duckdb__parse_instant(text, default_zone) -%}
    {%- set pattern = timestamp_pattern() | replace('(', '(?:') -%}
    {%- set offset = offset_pattern() | replace('(', '(?:') -%}
    {%- set tidied = "upper(" ~ trimmed(text) ~ ")" -%}
    case
        when {{ text }} like '2___-__-__T__:__:___0_:00'
            then make_timestamp(epoch_us(try_strptime({{ text }}, '%Y-%m-%dT%H:%M:%S%z')))
        when {{ text }} ~ '^{{ pattern }}{{ offset }}$'
            then make_timestamp(epoch_us(try_cast({{ text }} as timestamptz)))
        when {{ tidied }} ~ '^{{ pattern }}{{ offset }}$'
            then make_timestamp(epoch_us(try_cast({{ tidied }} as timestamptz)))
        when {{ tidied }} ~ '^{{ pattern }}$'
            then
                (try_cast({{ tidied }} as timestamp) at time zone '{{ default_zone }}')
                at time zone 'UTC'
    end
{%- endmacro -%}

{#
    No try_cast of timestamps here, so days that no month has are kept from the cast: the pattern stops at the
    longest month, `case` at the shorter ones.
#}
{%- macro redshift__parse_instant(text, default_zone) -%}
    {%- set text = trimmed(text) -%}
    case
        when substring({{ text }}, 6, 5) in ('02-30', '02-31', '04-31', '06-31', '09-31', '11-31') then null
        when
            substring({{ text }}, 6, 5) = '02-29'
            and substring({{ text }}, 1, 4) ~ '^[0-9]{4}$'
            and not (
                mod(cast(substring({{ text }}, 1, 4) as integer), 4) = 0
                and (
                    mod(cast(substring({{ text }}, 1, 4) as integer), 100) <> 0
                    or mod(cast(substring({{ text }}, 1, 4) as integer), 400) = 0
                )
            )
            then null
        when upper({{ text }}) ~ '^{{ timestamp_pattern() }}{{ offset_pattern() }}$'
            then
                cast(
                    substring({{ text }}, 1, 19)
                    || coalesce(regexp_substr({{ text }}, '[.][0-9]{1,6}'), '')
                    || regexp_substr(upper({{ text }}), '(Z|[+-][0-9:]+)$')
                    as timestamptz
                ) at time zone 'UTC'
        when upper({{ text }}) ~ '^{{ timestamp_pattern() }}$'
            then
                (
                    cast(
                        substring({{ text }}, 1, 19) || coalesce(regexp_substr({{ text }}, '[.][0-9]{1,6}'), '')
                        as timestamp
                    ) at time zone '{{ default_zone }}'
                ) at time zone 'UTC'
    end
{%- endmacro -%}

{%- macro timestamp_pattern() -%}
    (000[1-9]|00[1-9][0-9]|0[1-9][0-9][0-9]|[1-9][0-9][0-9][0-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?
{%- endmacro -%}

{%- macro offset_pattern() -%}
    (Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)
{%- endmacro -%}
