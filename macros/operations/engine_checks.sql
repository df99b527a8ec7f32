{#
    What the models rely on, with the macros that they use. `sql` is an expression over the column `value`, the first of
    each pair in `rows`; the second one is the expected result, a text that is cast to `type`.
#}
{%- macro engine_checks() -%}
    {%- set zone = 'America/Toronto' -%}
    {%- set number = 'cast(value as decimal(18, 6))' -%}
    {%- set instant = 'cast(value as timestamp)' -%}
    {%- set checks = [] -%}

    {#- ---------- timestamps -#}
    {%- do checks.append({
        'name': 'timestamps with offsets',
        'means': 'Events shift in time, or are rejected as unparseable_timestamp.',
        'type': 'timestamp',
        'sql': parse_instant('value', 'UTC'),
        'rows': [
            ('2018-10-01T13:54:59-04:00', '2018-10-01 17:54:59'),
            ('2018-10-01 13:54:59Z', '2018-10-01 13:54:59'),
            ('2018-10-01t13:54:59 utc', '2018-10-01 13:54:59'),
            ('2018-10-01T13:54:59+0530', '2018-10-01 08:24:59'),
            ('2018-10-01T13:54:59-04', '2018-10-01 17:54:59'),
            ('2018-10-01T00:00:00+14:00', '2018-09-30 10:00:00'),
            ('2018-10-01T13:54:59-12:00', '2018-10-02 01:54:59'),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'timestamps with offsets beyond 14 hours',
        'means': 'One such event, which no place on earth has, stops the build with an error: narrow parse_instant.',
        'type': 'timestamp',
        'sql': parse_instant('value', 'UTC'),
        'rows': [
            ('2018-10-01T00:00:00+14:45', '2018-09-30 09:15:00'),
            ('2018-10-01T13:54:59-14:59', '2018-10-02 04:53:59'),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'timestamps without seconds: regexp_substr without a match',
        'means': 'Events whose timestamps have no seconds or no offset get no time, or the build stops with an error.',
        'type': 'timestamp',
        'sql': parse_instant('value', 'UTC'),
        'rows': [
            ('2018-10-01T13:54Z', '2018-10-01 13:54:00'),
            ('2018-10-01T13:54', '2018-10-01 13:54:00'),
            ('2018-10-01 13:54:59', '2018-10-01 13:54:59'),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'timestamps that are invalid',
        'means': 'Rows that should be rejected are counted, or one of them stops the build with an error.',
        'type': 'timestamp',
        'sql': parse_instant('value', 'UTC'),
        'rows': [
            ('2018-02-29T13:54:59Z', none),
            ('2018-04-31T13:54:59Z', none),
            ('2000-02-29T13:54:59Z', '2000-02-29 13:54:59'),
            ('2018-10-01T24:00:00Z', none),
            ('2018-10-01T13:54:59+15:00', none),
            ('2018-10-01', none),
            ('', none),
            (none, none),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'microseconds of timestamps',
        'means': 'Times are rounded, so repeats are not recognized and gaps and views have other lengths.',
        'type': 'bigint',
        'sql': datediff("cast('2018-10-01 13:54:59' as timestamp)", parse_instant('value', 'UTC'), 'microsecond'),
        'rows': [
            ('2018-10-01T13:54:59.000001Z', '1'),
            ('2018-10-01T13:54:59.9Z', '900000'),
            ('2018-10-01T13:54:59.123456789Z', '123456'),
            ('2018-10-01T09:54:59.999999999-04:00', '999999'),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'hours that clocks skip or repeat',
        'means': 'Events without an offset shift by an hour around changes of the clocks.',
        'type': 'timestamp',
        'sql': parse_instant('value', zone),
        'rows': [
            ('2018-03-11T01:59:59', '2018-03-11 06:59:59'),
            ('2018-03-11T02:30:00', '2018-03-11 07:30:00'),
            ('2018-03-11T03:00:00', '2018-03-11 07:00:00'),
            ('2018-11-04T00:59:59', '2018-11-04 04:59:59'),
            ('2018-11-04T01:30:00', '2018-11-04 06:30:00'),
            ('2018-11-04T02:00:00', '2018-11-04 07:00:00'),
        ],
    }) -%}
    {%- set local_times = [] -%}
    {%- set local_dates = [] -%}
    {%- for utc in [
        '2000-01-01 04:30:00', '2007-03-20 04:30:00', '2018-03-11 06:59:59', '2018-03-11 07:00:00',
        '2018-11-04 05:59:59', '2018-11-04 06:00:00', '2018-12-31 23:59:59', '2024-07-01 03:59:59',
        '2024-07-01 04:00:00', '2026-03-29 01:00:00',
    ] -%}
        {%- set local = modules.pytz.utc.localize(modules.datetime.datetime.strptime(utc, '%Y-%m-%d %H:%M:%S'))
            .astimezone(modules.pytz.timezone(var('reporting_timezone'))) -%}
        {%- do local_times.append((utc, local.strftime('%Y-%m-%d %H:%M:%S'))) -%}
        {%- do local_dates.append((utc, local.strftime('%Y-%m-%d'))) -%}
    {%- endfor -%}
    {%- do checks.append({
        'name': 'local times in ' ~ var('reporting_timezone'),
        'means': 'Hours of the marts shift: the engine has other rules for this time zone than Python does.',
        'type': 'timestamp',
        'sql': local_time(instant),
        'rows': local_times,
    }) -%}
    {%- do checks.append({
        'name': 'local dates in ' ~ var('reporting_timezone'),
        'means': 'Events count on other dates: the engine has other rules for this time zone than Python does.',
        'type': 'date',
        'sql': local_date(instant),
        'rows': local_dates,
    }) -%}
    {%- do checks.append({
        'name': 'hours of timestamps',
        'means': 'Hours in merchant_hourly are wrong.',
        'type': 'integer',
        'sql': 'extract(hour from ' ~ instant ~ ')',
        'rows': [('2018-10-01 00:59:59', '0'), ('2018-10-01 23:59:59.999999', '23')],
    }) -%}
    {%- do checks.append({
        'name': 'datediff in microseconds',
        'means': 'Gaps, views and sessions have other lengths.',
        'type': 'bigint',
        'sql': datediff("cast('1900-01-01' as timestamp)", instant, 'microsecond'),
        'rows': [
            ('1900-01-01 00:00:00.000001', '1'),
            ('1899-12-31 23:59:59.5', '-500000'),
            ('2018-10-01 13:54:59.123456', '3747390899123456'),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'dateadd keeps microseconds',
        'means': 'Rows are rejected as future_timestamp that should not be, or the reverse.',
        'type': 'timestamp',
        'sql': dateadd('second', 300, instant),
        'rows': [('2018-12-31 23:59:59.123456', '2019-01-01 00:04:59.123456')],
    }) -%}
    {%- do checks.append({
        'name': 'getdate() is in UTC',
        'only': 'redshift',
        'means': 'Loads get wrong times, so new events are rejected as future_timestamp or not seen as new. Either the'
            ~ ' time zone of this user is not UTC (alter user ... set timezone to default), or this machine\'s clock is'
            ~ ' wrong.',
        'sql': "case when abs(datediff(second, getdate(), " ~ instant ~ ")) < 600 then 'now' else 'another time' end",
        'rows': [(modules.datetime.datetime.now(modules.pytz.utc).strftime('%Y-%m-%d %H:%M:%S'), 'now')],
    }) -%}

    {#- ---------- numbers -#}
    {%- do checks.append({
        'name': 'averages, halves rounded up',
        'means': 'Averages in the marts differ in the last digit.',
        'type': 'decimal(18, 2)',
        'sql': rounded(number, '40'),
        'rows': [
            ('23', '0.58'), ('22.999999', '0.57'), ('0.2', '0.01'), ('0', '0'), ('4000000001', '100000000.03'),
            (none, none),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'shares, four decimals',
        'means': 'Shares in the marts differ in the last digit.',
        'type': 'decimal(18, 4)',
        'sql': rounded('cast(value as integer)', '16', 4),
        'rows': [('1', '0.0625'), ('3', '0.1875'), ('16', '1')],
    }) -%}
    {%- do checks.append({
        'name': 'averages over nothing',
        'means': 'Flyers and dates where nothing was measured stop the build with a division by zero.',
        'type': 'decimal(18, 2)',
        'sql': rounded('nullif(' ~ number ~ ', 0)', 'cast(value as integer)'),
        'rows': [('0', none), ('2', '1')],
    }) -%}
    {%- do checks.append({
        'name': 'totals, halves rounded up',
        'means': 'Totals in the marts differ in the last digit.',
        'type': 'decimal(18, 2)',
        'sql': rounded(number),
        'rows': [
            ('0.575', '0.58'), ('0.574999', '0.57'), ('2.675', '2.68'), ('999999999999.995', '1000000000000'),
            (none, none),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'seconds of microseconds',
        'means': 'Lengths of gaps and views lose digits.',
        'type': 'decimal(18, 6)',
        'sql': 'cast(cast(value as bigint) * 0.000001 as decimal(18, 6))',
        'rows': [('1', '0.000001'), ('7599999999', '7599.999999'), ('86400000000', '86400')],
    }) -%}
    {%- do checks.append({
        'name': 'sums of decimals',
        'means': 'Totals lose digits, or large ones stop the build with an overflow.',
        'type': 'decimal(38, 6)',
        'sql': 'sum(' ~ number ~ ') over (order by number rows between unbounded preceding and current row)',
        'rows': [('999999999999.999999', '999999999999.999999'), ('999999999999.999999', '1999999999999.999998')],
    }) -%}
    {%- do checks.append({
        'name': 'decimals as texts',
        'means': 'The comparison with DuckDB reports columns of decimals whose values are equal.',
        'sql': 'cast(' ~ number ~ ' as varchar(40))',
        'rows': [('0.5', '0.500000'), ('-12', '-12.000000'), ('0', '0.000000')],
    }) -%}

    {#- ---------- texts -#}
    {%- do checks.append({
        'name': 'trimmed texts',
        'means': 'The same user, flyer or event with blanks around it counts as another one.',
        'sql': "'[' || " ~ trimmed('value') ~ " || ']'",
        'rows': [
            (' \t\r\nflyer_open \n', '[flyer_open]'),
            ('flyer open', '[flyer open]'),
            ('\u00a0x\u00a0', '[\u00a0x\u00a0]'),
            (' ', '[]'),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'ids: regular expressions and lists of texts',
        'means': 'The same id in two notations counts as two, or a missing id counts as one.',
        'sql': cleaned_id('value'),
        'rows': [
            ('7100.0', '7100'),
            ('7.1e3', '7100'),
            ('1E+05', '100000'),
            ('7100.5', '7100.5'),
            ('NULL', none),
            ('<null>', none),
            ('\\N', none),
            ('71e2', '71e2'),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'texts differ by case',
        'means': 'Ids that differ by case count as one: the database was created with collate case_insensitive.',
        'sql': "case when value = 'ab1' then 'same' else 'other' end",
        'rows': [('ab1', 'same'), ('AB1', 'other')],
    }) -%}
    {%- do checks.append({
        'name': 'texts are sorted by their bytes',
        'means': 'Users and flyers get other keys. Totals are right, but rows cannot be compared with those of DuckDB.',
        'type': 'bigint',
        'sql': 'row_number() over (partition by name order by value)',
        'rows': [('a', '5'), ('A', '3'), ('10', '1'), ('\u00e9', '6'), ('9', '2'), ('\U0001f600', '7'), ('_', '4')],
    }) -%}
    {%- do checks.append({
        'name': 'lengths of texts, in characters',
        'means': 'Other rows are rejected as id_too_long, or long ids stop the build with an error.',
        'type': 'integer',
        'sql': 'length(cast(value as varchar(1024)))',
        'rows': [('abc', '3'), ('\u00e9\u65e5\U0001f600', '3'), ('\U0001f600' * 256, '256')],
    }) -%}
    {%- do checks.append({
        'name': 'beginnings of texts, in characters',
        'means': 'Messages of a stream are rejected as not_a_json_object.',
        'sql': 'left(value, 1)',
        'rows': [('\U0001f600{', '\U0001f600'), ('{', '{'), ('', '')],
    }) -%}
    {%- do checks.append({
        'name': 'md5 of texts',
        'means': 'Events of one user at the same instant are put in another order.',
        'sql': 'md5(value)',
        'rows': [
            ('flyer_open|1|2', '79720f657c5e763887ad3b9bfcab830f'),
            ('\u00e9\u65e5\U0001f600', 'ead29fc5896858534e01df248386f928'),
            ('', 'd41d8cd98f00b204e9800998ecf8427e'),
        ],
    }) -%}
    {%- do checks.append({
        'name': 'messages of a stream',
        'only': 'redshift',
        'means': 'Messages of a stream are lost or wrongly rejected.',
        'sql': "case when can_json_parse(to_varbyte(value, 'utf-8')) and is_utf8(to_varbyte(value, 'utf-8'))"
            ~ " then json_extract_path_text(from_varbyte(to_varbyte(value, 'utf-8'), 'utf-8'), 'user_id', true)"
            ~ " else 'no JSON' end",
        'rows': [
            ('{"user_id": "\u00e9\U0001f600"}', '\u00e9\U0001f600'),
            ('{"user_id": 1.50}', '1.50'),
            ('{"user_id": null}', ''),
            ('{"event": "x"}', ''),
            ('{"user_id": 1', 'no JSON'),
        ],
    }) -%}

    {#- ---------- nulls, windows and lists -#}
    {%- do checks.append({
        'name': 'last_value ignores nulls',
        'means': 'Views and gaps start at other events.',
        'sql': 'last_value(value ignore nulls) over (order by number rows between unbounded preceding and 1 preceding)',
        'rows': [(none, none), ('a', none), (none, 'a'), ('b', 'a'), (none, 'b')],
    }) -%}
    {%- do checks.append({
        'name': 'nulls first and last',
        'means': 'Actions get other keys, or events at the same instant another order.',
        'sql': "cast(row_number() over (partition by name order by value nulls first) as varchar(9)) || '/'"
            ~ " || cast(row_number() over (partition by name order by value nulls last) as varchar(9))",
        'rows': [('b', '3/2'), (none, '1/3'), ('a', '2/1')],
    }) -%}
    {%- do checks.append({
        'name': 'greatest ignores nulls',
        'means': 'A complete build is recorded without its last load, so loads are processed again and again.',
        'sql': "greatest(value, cast(null as varchar(9)))",
        'rows': [('a', 'a'), (none, none)],
    }) -%}
    {%- do checks.append({
        'name': 'pairs in a list',
        'means': 'Increments delete and recompute other days than those that new events change.',
        'type': 'bigint',
        'sql': "(select count(*) from engine_check as days where days.name = 'pairs in a list'"
            ~ " and (days.value, days.number) in (select listed.value, listed.number from engine_check as listed))",
        'rows': [('a', '2'), ('b', '2'), (none, '2')],
    }) -%}
    {%- do checks.append({
        'name': 'conditions on nulls',
        'means': 'Events continue views that they should not continue, or the reverse.',
        'sql': "case when coalesce(value = 'a' and number < 3, false) then 'true' else 'false' end",
        'rows': [('a', 'true'), (none, 'false'), ('a', 'false')],
    }) -%}

    {%- for check in checks -%}
        {%- do check.update({'type': check.type or 'varchar(4096)', 'only': check.only or none}) -%}
    {%- endfor -%}
    {{ return(checks) }}
{%- endmacro -%}
