"""Figures for merchants reveal nothing about small groups of readers, whatever is calculated from them."""

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


def test_hidden_figures_change_nothing_that_is_shown(built: Project) -> None:
    """No total, difference or ratio of what is shown can reveal what has no influence on it."""
    shown = [sorted(map(str, built.query(f"from {mart}"))) for mart in MARTS]
    changes = {
        "readers < 5": "user_key = events.user_key + 1000, on_screen_secs = coalesce(on_screen_secs, 0) * 7 + 1,"
        " action_key = (select min(action_key) from staging.stg_flyer_app__actions where counts_as = 'item'),"
        " date = view_date, event_at = events.event_at + interval 5 hour,"
        " went_to_other_merchant = not went_to_other_merchant",
        "measured_readers < 5": "on_screen_secs = on_screen_secs * 7 + 1",
    }
    for condition, change in changes.items():
        changed = built.query(f"""
            update intermediate.int_flyer_events_sequenced as events set {change}
            from (
                select user_key, event_at, action_key, view_date
                from intermediate.int_flyer_events_in_views as events
                inner join intermediate.int_flyer_daily as days
                    on events.flyer_key = days.flyer_key and events.view_date = days.date
                where {condition}
            ) as hidden
            where
                events.user_key = hidden.user_key
                and events.event_at = hidden.event_at
                and events.action_key = hidden.action_key
        """)
        assert changed[0][0] > 100
    sums = "sum(view_secs), sum(items_opened), sum(views_to_other_merchants)"
    figures = f"select {sums} from intermediate.int_flyer_daily"
    before = built.query(figures)[0]
    built.dbt("run", "--full-refresh", "--select", "int_flyer_reader_days+")
    assert all(now != then for now, then in zip(built.query(figures)[0], before, strict=True))
    assert [sorted(map(str, built.query(f"from {mart}"))) for mart in MARTS] == shown


def test_combined_hours_have_enough_readers(built: Project) -> None:
    """The difference between the total of a day and the hours that are shown has enough readers too."""
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
