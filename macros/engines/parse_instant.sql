{%- macro parse_instant(text, default_zone) -%}
    {{ return(adapter.dispatch('parse_instant')(text, default_zone)) }}
{%- endmacro -%}

{#
    On both engines a regular expression defines which texts are timestamps, since the engines themselves disagree: DuckDB
    reads 24:00:00 as the next midnight. Dates that do not exist are left to try_cast here.

    The most common notation comes first, without trimming and upper case, which cost more than all the rest. Its most
    common form needs no regular expression: `like` checks the positions and try_strptime the digits, in half the time.
    Converting through microseconds is faster than `at time zone 'UTC'`.
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
    Redshift cannot try_cast timestamps, so dates that do not exist must not reach the cast. The regular expression
    excludes days after the 31st, `case` those of shorter months.
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

{# A date and a time of day from 00:00:00 to 23:59:59. #}
{%- macro timestamp_pattern() -%}
    (000[1-9]|00[1-9][0-9]|0[1-9][0-9][0-9]|[1-9][0-9][0-9][0-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?
{%- endmacro -%}

{# An offset from UTC, -14:59 to +14:59, or Z. #}
{%- macro offset_pattern() -%}
    (Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)
{%- endmacro -%}
