"""Every row of every model against the oracle, which is plain Python written from docs/definitions.md alone."""

import csv
import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flyer_analytics import generate
from python_tests import oracle
from python_tests.conftest import PROJECT, Project
from python_tests.test_increments import NIGHTS

EPOCH = datetime(1970, 1, 1)
DEFAULTS = oracle.Settings()
COLUMNS = ("timestamp", "user_id", "event", "flyer_id", "merchant_id")


def micros(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def keyed(rows: list[dict[str, Any]], *keys: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    found = {tuple(row[key] for key in keys): {c: v for c, v in row.items() if c not in keys} for row in rows}
    assert len(found) == len(rows), f"{keys} is no key"
    return found


def by_key(length: int, rows: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Rows by their first ``length`` columns, which are a key."""
    listed = list(rows)
    found = {row[:length]: row[length:] for row in listed}
    assert len(found) == len(listed), f"the first {length} columns are no key"
    return found


def assert_same(found: dict[Any, Any], expected: dict[Any, Any]) -> None:
    """Shows the first few rows that differ."""
    differing = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    assert not differing, f"{len(differing)} rows differ, such as\n" + "\n".join(
        f"{key}\n  found    {found.get(key)}\n  expected {expected.get(key)}" for key in sorted(differing, key=str)[:5]
    )


def assert_project_equals_oracle(project: Project, events: Path, settings: oracle.Settings = DEFAULTS) -> None:
    """The oracle reads the CSV file itself, so that what loading it does is compared too."""
    loaded_at = project.query("select max(_loaded_at) from staging.base_flyer_app__events")[0][0]
    raw = oracle.read_csv(events, loaded_at)
    cleaned = oracle.clean(raw, settings)
    sessions = "intermediate.int_flyer_sessions"
    marts = oracle.measure(cleaned.events, settings)

    assert_same(
        by_key(
            5,
            (
                (
                    row["user_id"], micros(row["event_at"]), row["event"], row["flyer_id"], row["merchant_id"],
                    row["date"], row["role"], row["source_row"], row["deliveries"],
                )
                for row in project.rows("staging.stg_flyer_app__events")
            ),
        ),
        by_key(
            5,
            (
                (
                    event.user_id, event.at_us, event.event, event.flyer_id, event.merchant_id,
                    event.date, event.role, event.position, event.deliveries,
                )
                for event in cleaned.events
            ),
        ),
    )  # fmt: skip
    rejected = project.rows("staging.stg_flyer_app__rejected")
    assert Counter((row["_source_row"], row["raw_timestamp"], row["rejection_reason"]) for row in rejected) == Counter(
        (row.position, row.timestamp, reason) for row, reason in cleaned.rejected
    )
    assert len(raw) == len(cleaned.events) + cleaned.repeats + len(cleaned.rejected)

    assert_same(
        by_key(
            5,
            (
                (
                    row["user_id"], micros(row["started_at"]), row["started_with"], row["flyer_id"], row["merchant_id"],
                    row["date"], micros(row["last_event_at"]), row["events"], row["items_opened"], row["view_secs"],
                    row["end_reason"], row["went_to_other_merchant"],
                )
                for row in project.rows("intermediate.int_flyer_views")
            ),
        ),
        by_key(
            5,
            (
                (
                    view.user_id, view.started_at_us, view.started_with, view.flyer_id, view.merchant_id,
                    view.date, view.last_event_at_us, view.events, view.items_opened, view.view_secs,
                    view.end_reason, view.went_to_other_merchant,
                )
                for view in marts.views
            ),
        ),
    )  # fmt: skip
    assert_same(
        by_key(
            2,
            (
                (
                    row["user_id"], micros(row["started_at"]),
                    row["date"], micros(row["ended_at"]), row["events"], row["flyer_events"],
                )
                for row in project.rows(f"{sessions} join intermediate.int_flyer_users using (user_key)")
            ),
        ),
        by_key(
            2,
            (
                (
                    session.user_id, session.started_at_us,
                    session.date, session.ended_at_us, session.events, session.flyer_events,
                )
                for session in marts.sessions
            ),
        ),
    )  # fmt: skip
    assert_same(keyed(project.rows("marts.user_daily_avg_flyer_time"), "user_id", "date"), marts.user_daily)
    assert_same(
        keyed(project.rows("marts.merchant_flyer_engagement"), "merchant_id", "flyer_id", "user_id", "date"),
        marts.merchant,
    )
    assert_same(
        keyed(project.rows("marts.merchant_flyer_daily"), "merchant_id", "flyer_id", "date"), marts.merchant_daily
    )
    assert_same(keyed(project.rows("marts.merchant_hourly"), "merchant_id", "date", "hour"), marts.merchant_hourly)


def test_sample(project: Project) -> None:
    project.dbt("build")
    assert project.query("select count(*) from marts.user_daily_avg_flyer_time")[0][0] > 100
    assert_project_equals_oracle(project, PROJECT / "seeds" / "sample_flyer_events.csv")


def test_reference_day(project: Project, reference_day: Path) -> None:
    project.load(reference_day)
    project.dbt("build", "--exclude-resource-types", "seed", "unit_test")
    assert_project_equals_oracle(project, reference_day)

    published_users = {
        "4e0521677630b9df": "71.27",
        "74130f3f5de10996": "1560.86",
        "7b8f402162b5d801": "267.00",
        "a043a79b8262033e": "1525.50",
        "c104b2e862e69bbd": "497.00",
    }
    assert project.query(
        "select left(user_id, 16), date::varchar, avg_time_spent_in_secs from marts.user_daily_avg_flyer_time"
        f" where left(user_id, 16) in {tuple(published_users)} order by 1"
    ) == [(user, "2018-10-01", Decimal(average)) for user, average in published_users.items()]
    assert project.query(
        "select merchant_id, flyer_id, total_time_spent_in_secs, avg_time_spent_in_secs"
        " from marts.merchant_flyer_engagement where left(user_id, 16) = '4e0521677630b9df' and date = '2018-10-01'"
        " and merchant_id in ('2432', '2268', '2362', '2066', '2609')"
        " and flyer_id in ('1998362', '2016316', '2009401', '2009693', '2016439') order by 1"
    ) == [
        ("2066", "2009693", Decimal("196.00"), Decimal("98.00")),
        ("2268", "2016316", Decimal("35.00"), Decimal("35.00")),
        ("2362", "2009401", Decimal("3.00"), Decimal("3.00")),
        ("2432", "1998362", Decimal("38.00"), Decimal("38.00")),
        ("2609", "2016439", Decimal("38.00"), Decimal("38.00")),
    ]


@pytest.mark.parametrize(("seed", "start"), [(1, "2018-03-10"), (2, "2020-02-28"), (3, "2024-11-02")])
def test_generated_days(project: Project, seed: int, start: str) -> None:
    events = project.folder / "events.csv"
    generate.main([str(events), "--events", "4000", "--days", "3", "--start", start, "--seed", str(seed)])
    project.load(events)
    project.dbt("run")
    assert_project_equals_oracle(project, events)


def notation_of(at: datetime, draw: random.Random) -> str:
    """An instant with an offset, in one of the notations of programs."""
    timespec = "auto" if at.second or at.microsecond else draw.choice(["auto", "minutes"])
    text = at.isoformat(sep=draw.choice("T "), timespec=timespec)
    local, sign, offset = text[:-6], text[-6], text[-5:]
    offsets = [f"{sign}{offset}", f"{sign}{offset.replace(':', '')}", f" {sign}{offset}"]
    return local + draw.choice([*offsets, *(["Z", " Z", " UTC", "GMT"] if at.utcoffset() == timedelta() else [])])


def timeline(user: str, draw: random.Random, zone: str) -> list[tuple[str, ...]]:
    """Up to 12 events of one user, with steps of time on and beside every limit, ties, repeats and unusable rows."""
    steps = [0, 0, 0.000001, 0.5, 1, 7, 40, 600, 1799, 1799.999999, 1800, 1801, 7599, 7599.999999, 7600, 7601, 86400]
    events = ["flyer_open"] * 5 + ["item_open", "list_flyers", "favorite", "flyer_close", "shopping_list_open", "video"]
    at = datetime.fromisoformat(draw.choice(NIGHTS[zone]))
    rows: list[tuple[str, ...]] = []
    for _ in range(draw.randint(1, 12)):
        at += timedelta(seconds=draw.choice(steps))
        local = at.replace(tzinfo=UTC).astimezone(draw.choice([UTC, ZoneInfo("America/Toronto")]))
        event = draw.choice(events)
        flyer = draw.choice(
            [["1", "1.0", "1e+00"], ["1"], ["2", "2."], ["007"], ["7"], ["null", "%3Cnull%3G", "", "NaN"]]
        )
        merchant = draw.choice([["A"], ["A", " A"], ["900", "900.0", "9E2", "9.0E2"], ["<null>", "", "undefined"]])
        rows += [
            (
                notation_of(local, draw),
                draw.choice([user, user, f" {user}\t", f"{user}.0"]),
                event,
                draw.choice(flyer),
                draw.choice(merchant),
            )
            for _ in range(draw.choice([1, 1, 1, 2]))
        ]
    return rows


def assert_rows_equal_oracle(
    project: Project, rows: Iterable[tuple[str, ...]], settings: oracle.Settings = DEFAULTS
) -> None:
    events = project.folder / "events.csv"
    with events.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    project.load(events)
    project.dbt("run", "--vars", f"{{reporting_timezone: {settings.reporting_timezone}}}")
    assert_project_equals_oracle(project, events, settings)


@pytest.mark.parametrize("zone", ["America/Toronto", "Pacific/Apia", "America/St_Johns"])
def test_drawn_timelines(project: Project, zone: str) -> None:
    draw = random.Random(1)
    rows = [row for number in range(700) for row in timeline(f"{1000 + number}", draw, zone)]
    for user, *instants in (
        ("over a skipped date", "2011-12-30T09:55:00Z", "2011-12-30T10:05:00Z"),
        ("over a date that runs backwards", "2010-11-07T01:00:00Z", "2010-11-07T02:30:30Z"),
    ):
        rows += [(instant, user, "flyer_open", flyer, "9") for instant, flyer in zip(instants, "AB", strict=True)]
    draw.shuffle(rows)
    assert_rows_equal_oracle(project, rows, oracle.Settings(reporting_timezone=zone))
    total = "select sum(total_view_secs), sum(total_time_spent_in_secs) from marts.user_daily_avg_flyer_time"
    assert project.query(f"{total} where user_id = 'over a skipped date'") == [(600, 600)]
    assert project.query(f"{total} where user_id = 'over a date that runs backwards'") == [(None, 5430)]


def nearly(texts: list[str], characters: str, draw: random.Random) -> str:
    """One of the texts, of which one to three characters are others."""
    text = list(draw.choice(texts))
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        text[draw.randrange(len(text))] = draw.choice(characters)
    return "".join(text)


def nearly_right() -> list[tuple[str, ...]]:
    """Rows of timestamps and ids that are nearly right: what is read from each must be right or nothing."""
    draw = random.Random(1)
    usual = ["2018-10-01T13:54:59-04:00", "2018-02-28T23:59:59+09:00"]
    others = ["2020-02-29T24:00:00-04:00", "2018-10-01T13:54:59Z", "2018-10-01 13:54:59 UTC", "2018-10-01T13:54 -04:00"]
    ids = ["7100.0", "7.1E+03", "1e+05", "-0.0", "1.0E16", "71e2", "0042", "%3Cnull%3E", "(null)", "undefined", "n/a"]
    rows = [
        (nearly([*usual, *usual, *others], "0123456789 -+:TZtz.%_", draw), f"user {number}", "flyer_open", "1", "A")
        for number in range(8000)
    ]
    return rows + [
        (usual[0], f"user {number}", "flyer_open", *(nearly(ids, "0123456789 -+eE.nul()%<", draw) for _ in range(2)))
        for number in range(8000)
    ]


def test_texts_that_are_nearly_right(project: Project) -> None:
    assert_rows_equal_oracle(project, nearly_right())
    assert 500 < len(project.rows("staging.stg_flyer_app__rejected")) < 7500


def test_a_user_who_never_stops(project: Project) -> None:
    """One view of 30 hours over a midnight, in a full build: no test of the project's own minds its length."""
    start = datetime(2018, 10, 1, 12)
    events = project.folder / "events.csv"
    with events.open("w", newline="", encoding="utf-8") as file:
        instants = [start + timedelta(seconds=1700 * number) for number in range(64)]
        csv.writer(file).writerows([COLUMNS, *((at.isoformat(), "u", "flyer_open", "1", "9") for at in instants)])
    project.load(events)
    project.dbt("build", "--exclude-resource-types", "seed", "unit_test")
    assert_project_equals_oracle(project, events)
    assert project.query("select total_view_secs, views from marts.user_daily_avg_flyer_time order by date") == [
        (Decimal("107100.00"), 1),
        (None, 0),
    ]


def test_other_vars(project: Project) -> None:
    events = project.folder / "events.csv"
    generate.main([str(events), "--events", "3000", "--days", "2", "--start", "2018-11-03", "--seed", "9"])
    # without offsets, the source's time zone decides
    events.write_text(events.read_text().replace("-04:00,", ",").replace("-05:00,", ","))
    project.load(events)
    settings = oracle.Settings(
        reporting_timezone="Asia/Kolkata",
        source_timezone="America/Toronto",
        max_gap_secs=60,
        inactivity_timeout_secs=90,
        earliest_event_date=date(1960, 1, 1),
        max_clock_skew_secs=86400,
        min_readers=2,
    )
    given = {name: str(value) if isinstance(value, date) else value for name, value in asdict(settings).items()}
    for of_the_seed in ("roles", "items", "favorites"):
        del given[of_the_seed]
    project.dbt("run", "--vars", json.dumps(given))
    assert_project_equals_oracle(project, events, settings)
