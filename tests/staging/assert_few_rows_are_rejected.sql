-- New loads of which more than a tenth of the rows is rejected, by reason. They
-- are a warning (severity 1). If nothing could be staged of any new load, they
-- are an error (severity 2), and no model downstream of staging is built. The
-- hook explain_rejections says what was found.
{{ config(
    fail_calc='coalesce(max(severity), 0)',
    warn_if='= 1',
    error_if='= 2',
) }}
{%- set is_new -%}
    {%- if is_build_known() -%}
        _loaded_at > {{ watermark(column='staged_to') }}
    {%- else -%}
        true
    {%- endif -%}
{%- endset %}

with

raw_rows as (

    select _loaded_at from {{ source('raw', 'flyer_events') }}

    union all

    select _loaded_at from {{ ref('sample_flyer_events') }}
    where not exists (select 1 from {{ source('raw', 'flyer_events') }})

),

loads as (

    select
        _loaded_at,
        count(*) as rows_loaded
    from raw_rows
    where {{ is_new }}
    group by _loaded_at

),

rejected_by_file as (

    select
        _loaded_at,
        rejection_reason,
        _source_file,
        count(*) as rejected_rows,
        min(rejected_value) as example
    from {{ ref('stg_flyer_app__rejected') }}
    where {{ is_new }}
    group by _loaded_at, rejection_reason, _source_file

),

-- The example of a reason is of the file with most such rows.
reasons_with_files as (

    select
        _loaded_at,
        rejection_reason,
        _source_file as example_file,
        example,
        sum(rejected_rows) over (
            partition by _loaded_at, rejection_reason
        ) as rejected_rows,
        row_number() over (
            partition by _loaded_at, rejection_reason
            order by rejected_rows desc nulls last, _source_file asc nulls last
        ) as place
    from rejected_by_file

),

rejected_by_load as (

    select
        _loaded_at,
        sum(rejected_rows) as rejected_of_load
    from rejected_by_file
    group by _loaded_at

),

loads_with_rejected as (

    select
        loads._loaded_at,
        loads.rows_loaded,
        rejected.rejected_of_load
    from loads
    inner join rejected_by_load as rejected
        on loads._loaded_at = rejected._loaded_at

),

new_events as (

    select _loaded_at from {{ ref('stg_flyer_app__events_keyed') }}
    where {{ is_new }}

),

-- Both conditions, since a load can arrive while staging is built: its rejected
-- rows are staged then, and its usable rows by the next build.
severity as (

    select
        case
            when
                max(rows_loaded - rejected_of_load) = 0
                and not exists (select 1 from new_events)
                then 2
            else 1
        end as severity
    from loads_with_rejected

)

select
    severity.severity,
    loads._loaded_at,
    loads.rows_loaded,
    loads.rejected_of_load,
    reasons.rejection_reason,
    reasons.rejected_rows,
    reasons.example,
    reasons.example_file
from loads_with_rejected as loads
inner join reasons_with_files as reasons
    on loads._loaded_at = reasons._loaded_at
cross join severity
where
    loads.rejected_of_load * 10 > loads.rows_loaded
    and reasons.place = 1
