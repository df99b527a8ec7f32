"""The same events as several programs write them are the same rows, with the same figures."""

from datetime import datetime, timedelta
from decimal import Decimal

from python_tests.conftest import Project
from python_tests.test_increments import Delivery, Loads

NOON = datetime(2018, 10, 1, 12)
# As text, as floats of Python, decimals, floats of Java, floats of C.
NUMBERS = (
    "{0}",
    "{0}.0",
    "{0}.0000000000",
    "{0[0]}.{0[1]}{0[2]}{0[3]}E3",
    "{0[0]}.{0[1]}{0[2]}{0[3]}00000e+03",
)
ZONES = ("Z", " Z", "UTC", " UTC", " utc", " GMT", "+00:00", " +00:00", " +0000", " +00", " -00:00")
MISSING = ("", "null", "<NULL>", "(null)", "%3Cnull%3E", "%3cnull%3g", r"\N", "None", "nan", "NaN", "N/A", "undefined")
NOT_MISSING = ("-", "0", "nil", "N", r"\\N", "none.", "null|none")


def delivery(timestamp: str, user: str, flyer: str, merchant: str = "9", event: str = "flyer_open") -> Delivery:
    return Delivery(0, None, timestamp, user, event, flyer, merchant)


def with_floats() -> list[Delivery]:
    """Ten events of user 3100, each with its ids in every notation."""
    return [
        delivery(f"2018-10-01T13:{number:02}:07Z", *(spelled.format(id_) for id_ in ids))
        for number in range(10)
        for ids in [("3100", str(7100 + number % 3), str(2200 + number % 2))]
        for spelled in NUMBERS
    ]


def with_nan() -> list[Delivery]:
    """A minute on a flyer, then two on items of flyers that are not known."""
    return [
        delivery("2018-10-01T13:00:00Z", "with nan", "1"),
        delivery("2018-10-01T13:01:00Z", "with nan", "nan", "nan", "item_open"),
        delivery("2018-10-01T13:02:00Z", "with nan", "NaN", "NaN", "item_open"),
        delivery("2018-10-01T13:03:00Z", "with nan", "", "", "list_flyers"),
    ]


def with_zones() -> list[Delivery]:
    """A user for each notation of UTC, with an event each second."""
    return [
        delivery(f"2018-10-01 17:54:{10 + number}{zone}", f"with{zone}", str(number))
        for zone in ZONES
        for number in range(5)
    ]


def without_seconds() -> list[Delivery]:
    """An event each 20 seconds, whose seconds are left out where they are zero, as by Java."""
    instants = [NOON + timedelta(seconds=20 * number) for number in range(60)]
    return [
        delivery(f"{at.isoformat(timespec='seconds' if at.second else 'minutes')}-04:00", "Java", str(at.second))
        for at in instants
    ]


def with_missing_ids() -> list[Delivery]:
    """An item of each flyer and merchant, a minute after the one before."""
    instants = [NOON + timedelta(minutes=number) for number in range(len(MISSING + NOT_MISSING))]
    return [
        delivery(f"{at.isoformat()}Z", "with missing ids", id_, id_, "item_open")
        for at, id_ in zip(instants, MISSING + NOT_MISSING, strict=True)
    ]


def assert_notations_do_not_matter(project: Project) -> None:
    project.start_over()
    loads = Loads(project)
    loads.add(0, [*with_floats(), *with_nan(), *with_zones(), *without_seconds(), *with_missing_ids()])
    loads.run()
    assert project.query("select * from staging.stg_flyer_app__rejected") == []

    events = "select count(*), sum(deliveries) from staging.stg_flyer_app__events"
    assert project.query(f"{events} where user_id = '3100' and flyer_id like '710_'") == [(10, 10 * len(NUMBERS))]
    assert project.query(
        f"{events} where user_id = 'with missing ids' and flyer_id is null and merchant_id is null"
    ) == [(len(MISSING), len(MISSING))]
    known = "select distinct flyer_id from marts.merchant_flyer_engagement where user_id = 'with missing ids'"
    assert {flyer for (flyer,) in project.query(known)} == {*NOT_MISSING}

    figures = {
        user: tuple(row)
        for user, *row in project.query(
            "select user_id, avg_time_spent_in_secs, avg_view_secs, total_view_secs, views"
            " from marts.user_daily_avg_flyer_time"
        )
    }
    minute, second = Decimal(60), Decimal(1)
    assert figures["3100"] == (minute, minute, 9 * minute, 10)
    assert figures["with nan"] == (None, minute, minute, 1)
    assert [figures[f"with{zone}"] for zone in ZONES] == [(second, second, 4 * second, 5)] * len(ZONES)
    assert figures["Java"] == (Decimal(20), Decimal(20), Decimal(59 * 20), 60)


def test_notations_do_not_matter(project: Project) -> None:
    assert_notations_do_not_matter(project)
