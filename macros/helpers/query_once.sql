{# `graph` is one dictionary for all hooks, models and threads of a run. #}
{%- macro query_once(sql) -%}
    {%- set answers = graph.setdefault('answers of run ' ~ invocation_id, {}) -%}
    {%- if sql not in answers -%}
        {%- do answers.update({sql: run_query(sql).rows}) -%}
    {%- endif -%}
    {{ return(answers[sql]) }}
{%- endmacro -%}
