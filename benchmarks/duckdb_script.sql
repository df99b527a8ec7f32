/*
    Both marts directly from raw.flyer_events, written by hand for DuckDB and for speed only, without tests, increments
    or readable models in between. The models are measured against it.

    Reads the table source.raw.flyer_events and writes merchant_flyer_engagement and user_daily_avg_flyer_time to the
    current database. The settings are the defaults of dbt_project.yml, times are in microseconds.

    What makes it fast:
    - Texts are cleaned and validated once per distinct value, and replaced by integers until the marts are written.
    - Timestamps are trimmed and converted to upper case only if they are invalid without it.
    - Local dates are looked up by quarter-hour, not computed for each event.
    - The events are sorted once, and all later steps read them in that order: windows without partition and order look
      only at the previous row, and check whether it is of the same user.
    - Repeats occur only among events of one user at one instant, so only those are compared.
    - Whether a view is measured shows at its first event, so views and sessions are counted without building them.
*/

create temp macro cleaned(raw_text) as trim(raw_text, ' ' || chr(9) || chr(10) || chr(13));

create temp macro shifted(mantissa, places) as
    case
        when length(rtrim(split_part(mantissa, '.', 2), '0')) <= places
            then split_part(mantissa, '.', 1) || rpad(rtrim(split_part(mantissa, '.', 2), '0'), places, '0')
    end;

create temp macro whole_number(number) as
    case
        when regexp_full_match(number, '-?[1-9][0-9]*[.]0*') then split_part(number, '.', 1)
        when regexp_full_match(number, '-?0([.]0*)?(e[+]?0?[0-9]{1,2})?') then '0'
        when regexp_full_match(number, '-?[1-9]([.][0-9]*)?e[+]?0?[0-9]{1,2}')
            then shifted(split_part(number, 'e', 1), cast(split_part(number, 'e', 2) as integer))
    end;

create temp macro known_id(raw_id) as
    case
        when lower(cleaned(raw_id)) in (
            '', 'null', '<null>', '(null)', '%3cnull%3e', '%3cnull%3g', '\n', 'none', 'nan', 'n/a', 'undefined'
        ) then null
        when contains(cleaned(raw_id), '.') or contains(cleaned(raw_id), '+')
            then coalesce(whole_number(lower(cleaned(raw_id))), cleaned(raw_id))
        else cleaned(raw_id)
    end;

create temp macro is_timestamp(raw_text, after_minutes) as
    regexp_full_match(
        raw_text,
        '(000[1-9]|00[1-9][0-9]|0[1-9][0-9][0-9]|[1-9][0-9][0-9][0-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]'
        || '([01][0-9]|2[0-3]):[0-5][0-9]' || after_minutes
    );

-- As a cast reads it: with seconds, and an offset without a blank before it. Without an offset, it is in UTC.
create temp macro written_out(raw_text) as
    raw_text[:16]
    || coalesce(nullif(regexp_extract(raw_text[17:], '^:[0-9]{2}([.][0-9]{1,6})?'), ''), ':00')
    || coalesce(nullif(regexp_extract(raw_text, '[+-][0-9:]+$'), ''), '+00');

create temp macro instant_of(raw_text) as
    case
        when is_timestamp(raw_text, ':[0-5][0-9]([.][0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)')
            then try_cast(raw_text as timestamptz)
        when
            is_timestamp(
                upper(cleaned(raw_text)),
                '(:[0-5][0-9]([.][0-9]{1,9})?)?( ?(Z|UTC|GMT|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?))?'
            )
            then try_cast(written_out(upper(cleaned(raw_text))) as timestamptz)
    end;

-- Seconds with two decimals, halves rounded up. A double holds microseconds exactly up to 285 years.
create temp macro rounded_secs(micros, number) as
    cast(
        cast(floor((2 * micros + 10_000 * number) / (20_000 * number)) as decimal(16, 0)) * cast(0.01 as decimal(2, 2))
        as decimal(18, 2)
    );

---------- keys

-- A table of its own, since DuckDB would push a filter below the distinct and apply it to every row.
create temp table raw_users as
select distinct user_id as raw_user_id from source.raw.flyer_events;

create temp table user_keys as
select
    raw_user_id,
    known_id(raw_user_id) as user_id,
    cast(dense_rank() over (order by known_id(raw_user_id)) as integer) as user_key
from raw_users
where length(known_id(raw_user_id)) <= 256;

create temp table raw_contents as
select
    event as raw_event,
    flyer_id as raw_flyer_id,
    merchant_id as raw_merchant_id,
    count(*) as deliveries
from source.raw.flyer_events
group by event, flyer_id, merchant_id;

-- What is on screen after an event with this content: a flyer of a merchant (screen_key <> 0), another screen (0), or
-- the same as before (null). A flyer has a positive key for the merchant that shows it most, and a negative key for
-- each other merchant.
create temp table content_keys as
with

event_types (event, role) as (

    values
    ('flyer_open', 'shows_flyer'),
    ('item_open', 'shows_flyer'),
    ('list_flyers', 'leaves_flyer'),
    ('shopping_list_open', 'leaves_flyer'),
    ('flyer_close', 'leaves_flyer'),
    ('app_background', 'leaves_flyer'),
    ('favorite', 'neutral')

),

contents as (

    select
        *,
        cleaned(raw_event) as event,
        known_id(raw_flyer_id) as flyer_id,
        known_id(raw_merchant_id) as merchant_id
    from raw_contents

),

usable_contents as (

    select
        contents.*,
        case
            when event_types.role = 'shows_flyer' and contents.flyer_id is not null then 1
            when event_types.role <> 'neutral' then 0
        end as shows_flyer
    from contents
    inner join event_types on contents.event = event_types.event
    where
        coalesce(length(contents.flyer_id), 0) <= 256
        and coalesce(length(contents.merchant_id), 0) <= 256

),

flyer_merchants as (

    select
        flyer_id,
        merchant_id,
        row_number() over (partition by flyer_id order by sum(deliveries) desc, merchant_id) as place,
        dense_rank() over (order by flyer_id) as flyer_number,
        row_number() over (order by flyer_id, merchant_id) as number
    from usable_contents
    where shows_flyer = 1
    group by flyer_id, merchant_id

)

select
    usable_contents.*,
    cast(
        dense_rank() over (order by usable_contents.event, usable_contents.flyer_id, usable_contents.merchant_id)
        as integer
    ) as content_key,
    cast(
        case
            when usable_contents.shows_flyer = 1 and flyer_merchants.place = 1 then flyer_merchants.flyer_number
            when usable_contents.shows_flyer = 1 then -flyer_merchants.number
            when usable_contents.shows_flyer = 0 then 0
        end as integer
    ) as screen_key,
    cast(flyer_merchants.flyer_number as integer) as flyer_key
from usable_contents
left join flyer_merchants
    on
        usable_contents.flyer_id = flyer_merchants.flyer_id
        and usable_contents.merchant_id is not distinct from flyer_merchants.merchant_id;

create temp table screens as
select distinct screen_key, flyer_key, flyer_id, merchant_id from content_keys
where shows_flyer = 1;

-- Dates as days since 1970. The offset of this zone changes only between quarter-hours.
create temp table quarters as
select
    cast(quarter as integer) as quarter,
    cast(
        cast(make_timestamptz(quarter * 900_000_000) at time zone 'America/Toronto' as date) - date '1970-01-01'
        as integer
    ) as day
from
    range(
        epoch_us(timestamp '2000-01-01') // 900_000_000,
        (select max(epoch_us(_loaded_at)) + 300_000_000 from source.raw.flyer_events) // 900_000_000 + 1
    ) as quarters (quarter);

---------- events without repeats, by user and time

-- Events that are too late get no quarter, and events that are too early match none. A filter on the instant would
-- parse each timestamp twice.
create temp table timeline as
with

parsed as (

    select
        *,
        epoch_us(instant_of("timestamp")) as instant
    from source.raw.flyer_events

),

in_time as (

    select
        *,
        case
            when instant <= epoch_us(_loaded_at) + 300_000_000 then cast(instant // 900_000_000 as integer)
        end as quarter
    from parsed

)

select
    user_keys.user_key,
    in_time.instant,
    in_time._source_row as source_row,
    quarters.day,
    content_keys.content_key,
    content_keys.screen_key
from in_time
inner join quarters on in_time.quarter = quarters.quarter
inner join user_keys on in_time.user_id = user_keys.raw_user_id
inner join content_keys
    on
        in_time.event is not distinct from content_keys.raw_event
        and in_time.flyer_id is not distinct from content_keys.raw_flyer_id
        and in_time.merchant_id is not distinct from content_keys.raw_merchant_id
order by user_keys.user_key, in_time.instant, in_time._source_row;

create temp table ties as
with

events as (

    select
        *,
        rowid as place,
        (lag(user_key) over () = user_key and lag(instant) over () = instant)
        or (lead(user_key) over () = user_key and lead(instant) over () = instant) as is_tied
    from timeline

)

select
    place,
    user_key,
    instant,
    source_row,
    content_key,
    screen_key,
    row_number() over (partition by user_key, instant, content_key order by place) > 1 as is_repeat
from events
where is_tied;

delete from timeline
where rowid in (select place from ties where is_repeat);

-- Ties at the same position are ordered by a hash, as in int_flyer_actions.tie_order.
update timeline
set content_key = reordered.content_key, screen_key = reordered.screen_key
from (

    with

    undecided as (

        select * from ties
        where not is_repeat
        qualify count(*) over (partition by user_key, instant, source_row) > 1

    ),

    hashed as (

        select
            undecided.*,
            md5(
                contents.event
                || '|' || coalesce(contents.flyer_id, '')
                || '|' || coalesce(contents.merchant_id, '')
            ) as event_hash
        from undecided
        inner join (select distinct content_key, event, flyer_id, merchant_id from content_keys) as contents
            on undecided.content_key = contents.content_key

    ),

    ranked as (

        select
            *,
            row_number() over (partition by user_key, instant, source_row order by place) as place_number,
            row_number() over (partition by user_key, instant, source_row order by event_hash) as event_number
        from hashed

    )

    select
        places.place,
        events.content_key,
        events.screen_key
    from ranked as places
    inner join ranked as events
        on
            places.user_key = events.user_key
            and places.instant = events.instant
            and places.source_row is not distinct from events.source_row
            and places.place_number = events.event_number

) as reordered
where timeline.rowid = reordered.place;

drop table ties;

---------- measures

-- A session is counted at its first flyer event: the one that starts it, or that directly follows the start in a list
-- of only flyer events and starts.
create temp table sessions as
with

events as (

    select
        user_key,
        day,
        coalesce(screen_key <> 0, false) as shows_flyer,
        coalesce(lag(user_key) over () = user_key and instant - lag(instant) over () < 1800_000_000, false)
            as continues_session
    from timeline

),

flyers_and_starts as (

    select
        *,
        lag(shows_flyer) over () as previous_shows_flyer,
        lag(day) over () as previous_day
    from events
    where shows_flyer or not continues_session

)

select
    user_key,
    case when continues_session then previous_day else day end as day,
    count(*) as sessions
from flyers_and_starts
where shows_flyer and not (continues_session and previous_shows_flyer)
group by all;

create temp table flyer_events as
with

events as (

    select
        *,
        rowid << 20 | day as placed_day
    from timeline

),

screens as (

    select
        *,
        coalesce(
            lag(user_key) over () = user_key
            and lag(screen_key) over () = screen_key
            and instant - lag(instant) over () < 1800_000_000,
            false
        ) as continues_view,
        case when lead(user_key) over () = user_key then lead(instant) over () - instant end as on_screen
    from events
    where screen_key is not null

),

-- The latest start has the greatest place, so its day is part of the maximum.
flyers as (

    select
        *,
        case when lag(user_key) over () = user_key then instant - lag(instant) over () end as gap,
        max(case when not continues_view then placed_day end) over (rows unbounded preceding) as placed_view_day
    from screens
    where screen_key <> 0

)

select
    user_key,
    day,
    screen_key,
    cast(case when gap < 7600_000_000 then gap end as double) as gap,
    cast(case when on_screen < 1800_000_000 then on_screen end as double) as on_screen,
    not continues_view as starts_view,
    cast(placed_view_day & ((1 << 20) - 1) as integer) as view_day
from flyers;

drop table timeline;

-- In a view, each event but the last is followed by the next one before the timeout. So a view is measured if its first
-- event is.
create temp table engagement as
with

measurements as (

    select
        user_key,
        day,
        screen_key,
        gap,
        case when view_day = day then on_screen end as on_screen,
        starts_view
    from flyer_events

    union all

    select
        user_key,
        view_day as day,
        screen_key,
        null as gap,
        on_screen,
        false as starts_view
    from flyer_events
    where view_day <> day

)

select
    user_key,
    day,
    screen_key,
    sum(gap) as gap,
    count(gap) as measured_gaps,
    sum(on_screen) as view,
    count(*) filter (where starts_view and on_screen is not null) as measured_views,
    count(*) filter (where starts_view) as views
from measurements
group by all;

drop table flyer_events;

---------- marts

create table merchant_flyer_engagement as
select
    screens.merchant_id,
    screens.flyer_id,
    users.user_id,
    date '1970-01-01' + engagement.day as date,
    rounded_secs(engagement.gap, 1) as total_time_spent_in_secs,
    rounded_secs(engagement.gap, engagement.measured_gaps) as avg_time_spent_in_secs,
    engagement.measured_gaps,
    rounded_secs(engagement.view, 1) as total_view_secs,
    rounded_secs(engagement.view, engagement.measured_views) as avg_view_secs,
    engagement.measured_views,
    engagement.views
from engagement
inner join screens on engagement.screen_key = screens.screen_key
inner join (select distinct user_key, user_id from user_keys) as users on engagement.user_key = users.user_key;

create table user_daily_avg_flyer_time as
with

user_days as (

    select
        user_key,
        day,
        sum(gap) as gap,
        cast(sum(measured_gaps) as bigint) as measured_gaps,
        sum(view) as view,
        cast(sum(measured_views) as bigint) as measured_views,
        cast(sum(views) as bigint) as views,
        count(*) filter (where screen_key > 0 and views > 0) as flyers
    from engagement
    group by all

),

-- Flyers that the user viewed on that day, but not from the merchant that shows them most.
viewed_elsewhere as (

    select distinct
        engagement.user_key,
        engagement.day,
        screens.flyer_key
    from engagement
    inner join screens on engagement.screen_key = screens.screen_key
    where engagement.screen_key < 0 and engagement.views > 0

),

viewed_elsewhere_only as (

    select
        viewed_elsewhere.user_key,
        viewed_elsewhere.day,
        count(*) as flyers
    from viewed_elsewhere
    anti join (from engagement where views > 0) as engagement
        on
            viewed_elsewhere.user_key = engagement.user_key
            and viewed_elsewhere.day = engagement.day
            and viewed_elsewhere.flyer_key = engagement.screen_key
    group by all

)

select
    users.user_id,
    date '1970-01-01' + user_days.day as date,
    rounded_secs(user_days.gap, user_days.measured_gaps) as avg_time_spent_in_secs,
    rounded_secs(user_days.gap, 1) as total_time_spent_in_secs,
    user_days.measured_gaps,
    rounded_secs(user_days.view, user_days.measured_views) as avg_view_secs,
    rounded_secs(user_days.view, 1) as total_view_secs,
    user_days.measured_views,
    user_days.views,
    user_days.flyers + coalesce(viewed_elsewhere_only.flyers, 0) as flyers,
    coalesce(sessions.sessions, 0) as sessions
from user_days
inner join (select distinct user_key, user_id from user_keys) as users on user_days.user_key = users.user_key
left join viewed_elsewhere_only
    on user_days.user_key = viewed_elsewhere_only.user_key and user_days.day = viewed_elsewhere_only.day
left join sessions on user_days.user_key = sessions.user_key and user_days.day = sessions.day;
