"""What a merchant may see tells nothing of the few: attacked with all that it shows, and with the truth at hand."""

import pytest

from flyer_analytics import generate
from python_tests.conftest import Project

MARTS = ("marts.merchant_flyer_daily", "marts.merchant_hourly")


@pytest.fixture
def built(project: Project) -> Project:
    events = project.folder / "events.csv"
    generate.main(
        [str(events), "--events", "6000", "--users", "150", "--days", "3", "--start", "2018-11-02", "--seed", "5"]
    )
    project.load(events)
    project.dbt("run")
    return project


def test_figures_that_are_left_out_change_nothing_that_is_shown(built: Project) -> None:
    """No total, difference or ratio of what is shown gives away what none of it depends on."""
    shown = [sorted(map(str, built.query(f"from {mart}"))) for mart in MARTS]
    others = {
        "readers < 5": "user_key = user_key + 1000, view_secs = coalesce(view_secs, 0) * 7 + 1,"
        " action_key = (select min(action_key) from staging.stg_flyer_app__actions where counts_as = 'item'),"
        " view_started_at = view_started_at + interval 5 hour,"
        " view_went_to_other_merchant = not view_went_to_other_merchant",
        "measured_readers < 5": "view_secs = view_secs * 7 + 1",
    }
    for few, change in others.items():
        changed = built.query(
            f"update intermediate.int_flyer_events_sequenced set {change} where (flyer_key, view_date) in"
            f" (select flyer_key, date from intermediate.int_flyer_daily where {few})"
        )
        assert changed[0][0] > 100
    sums = "sum(view_secs), sum(items_opened), sum(views_to_other_merchants)"
    figures = f"select {sums} from intermediate.int_flyer_daily"
    before = built.query(figures)[0]
    built.dbt("run", "--full-refresh", "--select", "int_flyer_reader_days+")
    assert all(now != then for now, then in zip(built.query(figures)[0], before, strict=True))
    assert [sorted(map(str, built.query(f"from {mart}"))) for mart in MARTS] == shown


def test_hours_that_stand_together_are_of_enough_readers(built: Project) -> None:
    """Whoever takes the hours that are shown from the day's total is left with at least as many readers."""
    left = built.query("""
        with views as (
            select
                merchant_id, date, user_id,
                hour(started_at at time zone 'UTC' at time zone 'America/Toronto') as hour
            from intermediate.int_flyer_views
            semi join marts.merchant_flyer_daily as shown
                on shown.merchant_id is not distinct from int_flyer_views.merchant_id
                and shown.flyer_id = int_flyer_views.flyer_id
                and shown.date = int_flyer_views.date
                and not shown.is_suppressed
        )

        select merchant_id, date, count(*) as views, count(distinct user_id), count(distinct hour)
        from views
        anti join marts.merchant_hourly as hours
            on hours.merchant_id is not distinct from views.merchant_id
            and hours.date = views.date
            and hours.hour = views.hour
        group by merchant_id, date
    """)
    assert len(left) > 20
    assert all(readers >= 5 and hours >= 2 for *_, readers, hours in left)
    assert sorted(map(str, (row[:3] for row in left))) == sorted(
        map(str, built.query("select merchant_id, date, views from marts.merchant_hourly where hour is null"))
    )
