{%- macro load_local_files(path) -%}
    {%- if path is not string or not path | trim -%}
        {{ exceptions.raise_compiler_error(
            "load_events needs a path as text: --args '{path: \"events/*.csv\"}'; got " ~ path | tojson
        ) }}
    {%- endif -%}
    {%- do create_raw_tables() -%}
    {%- set files = files_to_load(path) -%}
    {%- set problems = [] -%}
    {%- set total = namespace(files=0, rows=0, rejected=0) -%}

    {#- begins the transaction, unless create_raw_tables began it -#}
    {%- call statement(auto_begin=true) -%}
        set variable loaded_at = greatest(
            now() at time zone 'UTC',
            (select max(_loaded_at) + interval 1 microsecond from raw.loaded_files)
        )
    {%- endcall -%}
    {%- for file in files -%}
        {%- do log("Reading " ~ file, info=true) -%}
        {%- set scan = scan_parquet(file) if format_of(file) == 'parquet' else scan_text(file) -%}
        {%- set missing = event_columns() | reject('in', scan.columns) | list -%}
        {%- set unknown = scan.columns | reject('in', event_columns()) | list -%}
        {%- set twin = loaded_file_with(scan.fingerprint) -%}

        {%- if scan.is_empty -%}
            {%- do problems.append(file ~ " is empty") -%}
        {%- elif scan.has_unreadable_header -%}
            {%- do problems.append(file ~ " has no header line in valid UTF-8") -%}
        {%- elif not scan.columns -%}
            {%- do problems.append(file ~ " has no line that is a JSON object") -%}
        {%- elif missing -%}
            {%- do problems.append(
                file ~ " has no column " ~ missing | join(', ') ~ "; its columns are: "
                ~ scan.columns | join(', ') | truncate(200, true)
            ) -%}
        {%- elif scan.columns | select('in', event_columns()) | list | length > event_columns() | length -%}
            {%- do problems.append(
                file ~ " has duplicate column names; its columns are: " ~ scan.columns | join(', ') | truncate(200, true)
            ) -%}
        {%- elif twin -%}
            {%- do log(file ~ ": skipped, its content is already loaded as " ~ twin, info=true) -%}
        {%- else -%}
            {%- if unknown -%}
                {%- do log(file ~ ": ignored columns: " ~ unknown | join(', ') | truncate(200, true), info=true) -%}
            {%- endif -%}
            {%- if format_of(file) == 'parquet' -%}
                {%- do insert_parquet_rows(file, scan) -%}
            {%- else -%}
                {%- do insert_text_rows(file, scan) -%}
            {%- endif -%}
            {%- set rows = count_of_this_load('flyer_events', '_source_file', file) -%}
            {%- set rejected = count_of_this_load('rejected_lines', 'file', file) -%}
            {%- do record_loaded_file(file, scan.fingerprint, rows, rejected) -%}
            {%- do log(file ~ ": " ~ rows ~ " rows, " ~ rejected ~ " rejected lines", info=true) -%}
            {%- set total.files = total.files + 1 -%}
            {%- set total.rows = total.rows + rows -%}
            {%- set total.rejected = total.rejected + rejected -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do run_query('commit') -%}

    {%- set outcome = "Loaded " ~ total.rows ~ " rows from " ~ total.files ~ " of " ~ files | length ~ " files" -%}
    {%- if total.rejected -%}
        {%- set outcome = outcome ~ "; " ~ total.rejected ~ " lines could not be parsed, see raw.rejected_lines" -%}
    {%- endif -%}
    {%- if problems -%}
        {{ exceptions.raise_compiler_error(outcome ~ ". Could not load:\n    " ~ problems | join("\n    ")) }}
    {%- endif -%}
    {%- do log(outcome, info=true) -%}
    {%- if not run_query('select 1 from raw.flyer_events limit 1').rows -%}
        {%- do log("No events are loaded yet, so the models still read the sample", info=true) -%}
    {%- endif -%}
{%- endmacro -%}

{# The files that a path names, in order: the file itself, or those that match it as a pattern, or those in it as a folder. #}
{%- macro files_to_load(path) -%}
    {%- call statement('found_files', fetch_result=true, auto_begin=false) -%}
        {%- set folder = as_pattern(path.rstrip('/')) %}
        with
        itself as (select file from glob({{ as_pattern(path) }})),
        matching as (select file from glob({{ sql_text(path) }}) where not exists (from itself)),
        -- ** does not follow links to files, * does
        inside as (
            select file from glob({{ folder }} || '/*') where not exists (from itself) and not exists (from matching)
            union
            select file from glob({{ folder }} || '/**') where not exists (from itself) and not exists (from matching)
        )

        from itself union all from matching union all from inside
        order by file
    {%- endcall -%}
    {%- set found = load_result('found_files').table.columns[0].values() | list -%}
    {%- if not found -%}
        {{ exceptions.raise_compiler_error(
            "Nothing to load at '" ~ path ~ "': no file with this name, no file that matches, no folder with files in it"
        ) }}
    {%- endif -%}

    {%- set files = [] -%}
    {%- for file in found -%}
        {%- if format_of(file) -%}
            {%- do files.append(file) -%}
        {%- else -%}
            {%- do log(file ~ ": skipped, unknown file extension", info=true) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not files -%}
        {{ exceptions.raise_compiler_error(
            "Nothing to load at '" ~ path ~ "': file names must end in .csv, .json, .jsonl, .ndjson (each optionally"
            ~ " followed by .gz) or .parquet"
        ) }}
    {%- endif -%}
    {{ return(files) }}
{%- endmacro -%}

{# The file that was loaded with this fingerprint, or none. #}
{%- macro loaded_file_with(fingerprint) -%}
    {%- call statement('twin', fetch_result=true, auto_begin=false) -%}
        select file from raw.loaded_files where fingerprint = '{{ fingerprint }}'
    {%- endcall -%}
    {{ return(load_result('twin').table.columns[0].values() | first) }}
{%- endmacro -%}

{%- macro record_loaded_file(file, fingerprint, rows, rejected) -%}
    {%- call statement(auto_begin=false) -%}
        insert into raw.loaded_files
        values ({{ sql_text(file) }}, '{{ fingerprint }}', {{ rows }}, {{ rejected }}, {{ loaded_at() }})
    {%- endcall -%}
{%- endmacro -%}
