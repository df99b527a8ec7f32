{%- macro parse_instant(text, default_zone) -%}
    {{ return(adapter.dispatch('parse_instant')(text, default_zone)) }}
{%- endmacro -%}

{#
    On both engines a regular expression defines which texts are timestamps, since the engines themselves disagree: DuckDB
    reads 24:00:00 as the next midnight. Dates that do not exist are left to try_cast here.

    The most common notations come first, without trimming and upper case, which cost more than all the rest. The most
    common one needs no regular expression: `like` checks the positions and try_strptime the digits, in half the time.
    Converting through microseconds is faster than `at time zone 'UTC'`. DuckDB 1.5 needs 0.1 ms to find that it cannot
    cast ` +0000` after a blank, so what casts do not read is written out without a try.
#}
{%- macro duckdb__parse_instant(text, default_zone) -%}
    {%- set tidied = "upper(" ~ trimmed(text) ~ ")" -%}
    {%- set usual = (minute_pattern() ~ second_pattern() ~ offset_pattern()) | replace('(', '(?:') -%}
    {%- set local = local_pattern() | replace('(', '(?:') -%}
    {%- set instant = instant_pattern() | replace('(', '(?:') -%}
    case
        when {{ text }} like '2___-__-__T__:__:___0_:00'
            then make_timestamp(epoch_us(try_strptime({{ text }}, '%Y-%m-%dT%H:%M:%S%z')))
        when {{ text }} ~ '^{{ usual }}$'
            then make_timestamp(epoch_us(try_cast({{ text }} as timestamptz)))
        when {{ text }} ~ '^{{ instant }}$'
            then make_timestamp(epoch_us(try_cast({{ written_out(text, 'regexp_extract') }} as timestamptz)))
        when {{ tidied }} ~ '^{{ instant }}$'
            then make_timestamp(epoch_us(try_cast({{ written_out(tidied, 'regexp_extract') }} as timestamptz)))
        when {{ tidied }} ~ '^{{ local }}$'
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
    {%- set text = "upper(" ~ trimmed(text) ~ ")" -%}
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
        when {{ text }} ~ '^{{ instant_pattern() }}$'
            then cast({{ written_out(text, 'regexp_substr') }} as timestamptz) at time zone 'UTC'
        when {{ text }} ~ '^{{ local_pattern() }}$'
            then
                (cast({{ time_written_out(text, 'regexp_substr') }} as timestamp) at time zone '{{ default_zone }}')
                at time zone 'UTC'
    end
{%- endmacro -%}

{# A timestamp without an offset, and one with an offset or a name of UTC. #}
{%- macro local_pattern() -%}
    {{ minute_pattern() }}({{ second_pattern() }})?
{%- endmacro -%}

{%- macro instant_pattern() -%}
    {{ local_pattern() }}[ ]?(UTC|GMT|{{ offset_pattern() }})
{%- endmacro -%}

{# A date and a time of day from 00:00 to 23:59. #}
{%- macro minute_pattern() -%}
    (000[1-9]|00[1-9][0-9]|0[1-9][0-9][0-9]|[1-9][0-9][0-9][0-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-3]):[0-5][0-9]
{%- endmacro -%}

{%- macro second_pattern() -%}
    :[0-5][0-9]([.][0-9]{1,9})?
{%- endmacro -%}

{# An offset from UTC, -14:59 to +14:59, or Z. #}
{%- macro offset_pattern() -%}
    (Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)
{%- endmacro -%}

{# An instant as every cast reads it. `find` is the engine's function for the part of a text that matches a pattern. #}
{%- macro written_out(text, find) -%}
    {{ time_written_out(text, find) }}
    || coalesce(nullif({{ find }}({{ text }}, '[+-][0-9:]+$'), ''), '+00')
{%- endmacro -%}

{# With seconds, of which casts keep six decimals. #}
{%- macro time_written_out(text, find) -%}
    substring({{ text }}, 1, 16)
    || coalesce(nullif({{ find }}(substring({{ text }}, 17), '^:[0-9]{2}([.][0-9]{1,6})?'), ''), ':00')
{%- endmacro -%}
