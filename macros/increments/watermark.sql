{#
    A literal and not a subquery, so that the engine can skip the blocks of older rows. So does the search for rows that an
    interrupted run has staged.
#}
{%- macro watermark(staged=none, column='completed_to') -%}
    {%- set state = last_build() if execute -%}
    {%- set last = "cast('" ~ ((state[column] if state else none) or '0001-01-01') ~ "' as timestamp)" -%}
    {%- if execute and staged -%}
        {%- set newest = query_once(
            'select cast(max(_loaded_at) as varchar(30)) from ' ~ staged ~ ' where _loaded_at > ' ~ last
        )[0][0] -%}
        {%- if newest -%}{%- set last = "cast('" ~ newest ~ "' as timestamp)" -%}{%- endif -%}
    {%- endif -%}
    {{ last }}
{%- endmacro -%}
