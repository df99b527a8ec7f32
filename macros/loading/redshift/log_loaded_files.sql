{%- macro log_loaded_files(files) -%}
    {%- do create_raw_tables() -%}
    {%- do log(tojson(loaded_files_among(files)), info=true) -%}
{%- endmacro -%}
