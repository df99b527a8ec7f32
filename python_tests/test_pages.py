"""The merchant pages show what the two marts show and nothing else, and look right in a browser."""

import csv
import html
import itertools
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser, ConsoleMessage

from flyer_analytics import generate
from flyer_analytics.pages import __main__ as pages
from flyer_analytics.pages import charts, folder, formats
from flyer_analytics.pages.comparison import blurred_median
from flyer_analytics.pages.dates import DateRange
from flyer_analytics.pages.figures import METRICS
from python_tests.accessibility import barriers
from python_tests.conftest import Project
from python_tests.test_rejections import ALL_REJECTED, WHY

FIRST = date(2018, 10, 1)
STRANGE = ["../../etc/passwd", 'Söhne & <b>"Co"</b>', "=1+1", "CON", "con", "x" * 256, "日本 スーパー"]
CELLS = """
    create schema marts;
    create table marts.merchant_flyer_daily (
        merchant_id varchar, flyer_id varchar, date date, is_suppressed boolean, readers bigint, views bigint,
        measured_views bigint, total_view_secs decimal(18, 2), avg_view_secs decimal(18, 2),
        median_view_secs decimal(18, 2), items_opened bigint, views_to_other_merchants bigint,
        share_to_other_merchants decimal(18, 4), merchant_favorites bigint
    );
    create table marts.merchant_hourly (merchant_id varchar, date date, hour integer, readers bigint, views bigint)
"""


class Shown:
    """A database of what merchants may see, filled by the test."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "shown.duckdb"
        self.out = folder / "pages"
        self.cells: list[list[Any]] = []

    def cell(self, merchant: str | None, day: int = 0, flyer: str = "f", readers: int = 10, secs: int = 30) -> None:
        """Add a row: 2 views per reader, one of them measured and ``secs`` long; suppressed below 5 readers."""
        figures: list[Any] = [None] * 10
        if readers >= 5:
            figures = [readers, 2 * readers, readers, secs * readers, secs, secs, readers, readers, 0.5, 0]
        self.cells.append([merchant, flyer, FIRST + timedelta(days=day), readers < 5, *figures])

    def write(self, *options: str) -> int:
        """Write the pages. All views started at nine."""
        self.database.unlink(missing_ok=True)
        with duckdb.connect(str(self.database)) as connection:
            connection.execute(CELLS)
            if self.cells:
                row = f"({', '.join('?' * 14)})"
                values = [value for cell in self.cells for value in cell]
                connection.execute(
                    f"insert into marts.merchant_flyer_daily values {', '.join([row] * len(self.cells))}", values
                )
            connection.execute("""
                insert into marts.merchant_hourly
                select merchant_id, date, 9, sum(readers), sum(views) from marts.merchant_flyer_daily
                where not is_suppressed group by all
            """)
        return pages.main(["--database", str(self.database), "--out", str(self.out), *options])

    def page(self, merchant: str) -> str:
        name = folder.file_stem(merchant, DateRange(FIRST, FIRST)).rpartition("_")[0]
        return next(self.out.glob(f"{name}_*.html")).read_text(encoding="utf-8")


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    return Shown(tmp_path)


@pytest.fixture
def built(project: Project) -> Project:
    """Generated events, some with strange merchant ids."""
    made, events = project.folder / "made.csv", project.folder / "events.csv"
    generate.main(
        [str(made), "--events", "6000", "--users", "150", "--days", "3", "--start", "2018-11-02", "--seed", "5"]
    )
    with made.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    merchants = sorted({row[-1] for row in rows if row[-1].isdigit()})
    names = dict(zip(merchants[1::2], STRANGE, strict=False))
    with events.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *([*row[:-1], names.get(row[-1], row[-1])] for row in rows)])
    project.load(events)
    project.dbt("run")
    project.disconnect()
    return project


def said(page: str) -> str:
    """Return the text of a page, or of a part of it."""
    return html.unescape(" ".join(re.sub(r"<.*?>", " ", page, flags=re.DOTALL).split()))


def cards(page: str) -> dict[str, str]:
    """Return the headline figures of a page by their keys."""
    return dict(re.findall(r'<h3><a href="definitions\.html#(\w+)">.*?</a></h3>\s*<p class="value">(.*?)</p>', page))


def table(page: str, heading: str) -> list[list[str]]:
    """Return the body of the first table under ``heading``, as text."""
    body = re.search(rf'id="{heading}".*?<tbody.*?>(.*?)</tbody>', page, re.DOTALL)
    rows = re.findall(r"<tr.*?>(.*?)</tr>", body[1] if body else "", re.DOTALL)
    found = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[said(cell) for cell in row] for row in found]


def test_pages_say_what_the_marts_show_and_nothing_else(built: Project) -> None:
    out, alone = built.folder / "pages", built.folder / "alone"
    assert pages.main(["--database", str(built.database), "--out", str(out)]) == 0

    connection = built.connect()
    totals = connection.sql("""
        select
            merchant_id, sum(readers), sum(views), sum(total_view_secs),
            sum(total_view_secs) / nullif(sum(case when total_view_secs is not null then measured_views end), 0),
            100 * sum(items_opened) / sum(views), sum(views_to_other_merchants) / sum(views)
        from marts.merchant_flyer_daily
        where merchant_id is not null
        group by merchant_id
    """).fetchall()
    shows = [formats.number, formats.number, formats.duration, formats.duration, formats.tenths, formats.percent]
    dates = DateRange(*connection.sql("select min(date), max(date) from marts.merchant_flyer_daily").fetchall()[0])
    assert {merchant for merchant, *_ in totals} >= set(STRANGE)
    assert sum(views is None for _, _, views, *_ in totals) > 5
    assert sum(views is not None for _, _, views, *_ in totals) > 20
    for merchant, *figures in totals:
        stem = out / folder.file_stem(merchant, dates)
        page = stem.with_suffix(".html").read_text(encoding="utf-8")
        shown = {
            metric.key: show(value)
            for metric, show, value in zip(METRICS, shows, figures, strict=True)
            if value is not None
        }
        assert cards(page) == shown, merchant
        flyers = connection.sql(
            "select flyer_id, sum(readers), sum(views) from marts.merchant_flyer_daily"
            f" where merchant_id = {literal(merchant)} and not is_suppressed group by 1"
        ).fetchall()
        assert sorted((row[0].split(maxsplit=1)[1], row[2], row[3]) for row in table(page, "flyers")) == sorted(
            (flyer, f"{readers:,}", f"{views:,}") for flyer, readers, views in flyers
        )
        hours = connection.sql(
            "select hour, sum(views) from marts.merchant_hourly"
            f" where merchant_id = {literal(merchant)} group by hour order by hour nulls last"
        ).fetchall()
        if any(hour is not None for hour, _ in hours):
            assert [int(row[1].replace(",", "")) for row in table(page, "hours")] == [views for _, views in hours]

    connection.close()

    for mart, pattern in (("merchant_flyer_daily", r"\d{4}-\d\d-\d\d\.csv"), ("merchant_hourly", r"_hours\.csv")):
        files = [str(path) for path in out.iterdir() if re.search(pattern, path.name)]
        assert len(files) == len(totals)
        read = f"read_csv({files}, union_by_name = true, header = true, quote = '\"', all_varchar = true)"
        columns = f"* exclude (remark) replace (ltrim(merchant_id, '''') as merchant_id) from {read}"
        names = [name for name, *_ in built.query(f"describe select {columns}")]
        cast = ", ".join(f"{name}::varchar" for name in names)
        assert sorted(map(str, built.query(f"select {columns}"))) == sorted(
            map(str, built.query(f"select {cast} from marts.{mart} where merchant_id is not null"))
        )

    # The pages are the same if there is nothing else to read.
    with duckdb.connect(str(built.folder / "two_marts.duckdb")) as connection:
        connection.execute(f"attach {literal(str(built.database))} as source (read_only); create schema marts")
        for mart in ("merchant_flyer_daily", "merchant_hourly"):
            connection.execute(f"create table marts.{mart} as from source.marts.{mart} order by random()")
    assert pages.main(["--database", str(built.folder / "two_marts.duckdb"), "--out", str(alone)]) == 0
    written = {path.name: path.read_bytes() for path in out.iterdir()}
    assert written == {path.name: path.read_bytes() for path in alone.iterdir()}
    # index, definitions and marker
    assert len(written) == 3 * len(totals) + 3

    everything = b"\n".join(written.values()).decode()
    users = built.query("select distinct user_id from staging.stg_flyer_app__events")
    assert len(users) > 100
    assert not [user for (user,) in users if user in everything]


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def test_pages_in_chromium(shown: Shown, browser: Browser) -> None:
    """No outside request, error or broken link, no barrier that axe finds, nothing cut off on a phone or a desktop."""
    for day in range(90):
        for flyer in range(4):
            shown.cell("big", day, f"flyer {flyer + day // 7}", 40_000 * (flyer + 1) * (1 + day % 7), 400 + day)
    for merchant in STRANGE:
        shown.cell(merchant, 89, "<img src=x onerror=alert(1)>" + "long" * 60)
    shown.cell("few", 89, readers=2)
    shown.cell("one", 89)
    assert shown.write("--from", str(FIRST)) == 0
    requests: list[str] = []
    messages: list[ConsoleMessage] = []
    errors: list[object] = []
    problems: list[str] = []
    page = browser.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message))
    page.on("pageerror", lambda error: errors.append(error))
    titles, links, anchors = set(), set(), set()
    files = sorted(shown.out.glob("*.html"))
    assert len(files) == len(STRANGE) + 5
    for file in files:
        page.goto(file.as_uri())
        titles.add(page.title())
        links |= set(page.eval_on_selector_all("a", "all => all.map(a => a.href)"))
        anchors |= {
            f"{file.as_uri()}#{found}" for found in page.eval_on_selector_all("[id]", "all => all.map(a => a.id)")
        }
        levels = [int(level) for level in page.eval_on_selector_all("h1, h2, h3", "all => all.map(h => h.tagName[1])")]
        assert page.locator("script, img").count() == 0
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
        assert page.eval_on_selector_all("svg", "all => all.every(svg => svg.querySelector('title, desc').textContent)")
        page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")
        for width in (375, 1400):
            page.set_viewport_size({"width": width, "height": 900})
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                problems.append(f"{file.name} is too wide for {width} px")
            if file.name in ("index.html", "definitions.html") or "_big_" in file.name:
                problems += barriers(page)
    assert len(requests) >= len(files)
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert [message.text for message in messages if message.type == "error"] == errors == problems == []
    assert len(titles) == len(files)
    assert len(links) > len(files)
    for link in links:
        assert link in anchors or (shown.out / Path(link).name).exists(), link
    bars = page.goto(next(file for file in files if "_big_" in file.name).as_uri()) and page.locator("#days ~ svg rect")
    assert bars
    assert bars.count() == 180


def test_a_page_compares_with_the_previous_day_and_similar_merchants(shown: Shown) -> None:
    for day in (0, 1):
        shown.cell("small", day, readers=5)
        for place in range(24):
            shown.cell(f"m{place}", day, readers=10 + place * (1 + day), secs=10 * (place + 1))
    assert shown.write("--from", "2018-10-02") == 0
    page = said(shown.page("m23"))
    # 25 merchants. The five others in the last group have 46, 48, .. 54 readers and 190, 200, .. 230 s per view.
    assert "Readers 56 counted once per flyer and day Previous day 33 (up 70%) Similar merchants (median) 50 " in page
    assert re.search(r"Average view time 4 min 00 s .*? \(unchanged\) Similar merchants \(median\) 3 min 30 s", page)
    assert "you are in the largest quarter of all merchants, together with 5 others" in page


def test_a_small_group_shows_no_median(shown: Shown) -> None:
    for place in range(20):
        shown.cell(f"m{place}", readers=10 + place)
    assert shown.write() == 0
    page = shown.page("m19")
    assert "Similar merchants (median)" not in page
    assert "with only 4 others" in page
    assert "the data start on Mon 1 Oct 2018" in page


def test_the_median_is_never_one_merchants_figure() -> None:
    assert blurred_median([1, 2, 30, 100, 1000]) == 44
    assert blurred_median([1, 2, 30, 100, 1000, 1000]) == 65


def test_pages_say_what_they_leave_out(shown: Shown) -> None:
    shown.cell("m", 0, "read")
    shown.cell("m", 0, "hardly read", readers=4)
    shown.cell("m", 1, "hardly read", readers=4)
    shown.cell("few", 0, readers=1)
    shown.cell(None, 0, readers=7)
    shown.cell("m", 0, "hardly measured")
    shown.cells[-1][7:10] = [None] * 3
    assert shown.write() == 0
    page = said(shown.page("m"))
    assert "20 of 40 views (50%) could not be measured ." in page
    assert "2 of 4 flyer-days (one flyer on one day) had too few readers." in page
    assert "1 of the 2 flyer-days shown had too few readers with measured views." in page
    assert "for 5 min 00 s in total and 30 s per view on average" in page
    assert "1 more flyer had fewer than 5 readers on every day" in page
    assert "Too few readers to show" in shown.page("few")
    assert not cards(shown.page("few"))
    index = (shown.out / "index.html").read_text(encoding="utf-8")
    assert "have no page: 14 views on 1 flyer-day, and 0 flyer-days with too few readers" in index


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--from", "2018-11-01", "--to", "2018-11-03"],
            "No data from 2018-11-01 to 2018-11-03. There are data from 2018-10",
        ),
        (["--from", "2018-10-03", "--to", "2018-10-02"], "--from 2018-10-03 is after --to 2018-10-02"),
        (
            ["--merchant", "m20"],
            "No merchant 'm20' from 2018-10-04 to 2018-10-10. 1 merchant has data; similar ids: 'm2'",
        ),
        (
            ["--merchant", "m1"],
            "Merchant 'm1' has no data from 2018-10-04 to 2018-10-10. It has data on 1 date from 2018-10-01",
        ),
        (["--database", "none.duckdb"], "none.duckdb does not exist. Run `make build` first"),
        (["--database", "empty.duckdb"], "empty.duckdb has no marts. Run `make build` first"),
        (["--database", "text.duckdb"], "not a valid DuckDB database file. Name another file"),
        (["--from", "2019-01-01"], "No data from 2019-01-01 to 2019-01-01. There are data from 2018-10-01 to"),
    ],
)
def test_messages(
    shown: Shown, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    shown.cell("m1")
    shown.cell("m2", 9)
    monkeypatch.chdir(shown.out.parent)
    duckdb.connect("empty.duckdb").close()
    Path("text.duckdb").write_text("no database")
    assert shown.write(*options) == 1
    assert said in capsys.readouterr().err
    assert not shown.out.exists()


def test_marts_without_rows(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown.write() == 1
    assert "no event shows a flyer" in capsys.readouterr().err
    shown.cell(None, day=1)
    assert shown.write() == 1
    assert "merchants of all 1 row from 2018-10-02 to 2018-10-02 are unknown" in capsys.readouterr().err
    shown.cell("m", readers=4)
    assert shown.write() == 0
    assert "All figures from 2018-10-01 to 2018-10-01 are hidden" in capsys.readouterr().err


def test_what_is_no_date_is_named(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        shown.write("--from", "11/02/2018")
    assert "'11/02/2018' is not a date such as 2018-11-02" in capsys.readouterr().err


@pytest.mark.parametrize("has_marts", [False, True])
def test_rows_that_were_all_rejected_are_the_reason(
    shown: Shown, capsys: pytest.CaptureFixture[str], has_marts: bool
) -> None:
    """Of marts without rows, or of pages that are older than what was loaded."""
    if has_marts:
        shown.cell("m")
    shown.write()
    with duckdb.connect(str(shown.database)) as connection:
        connection.execute(ALL_REJECTED)
    capsys.readouterr()
    code = pages.main(["--database", str(shown.database), "--out", str(shown.out)])
    said = capsys.readouterr().err
    assert (code, said.startswith(WHY)) == ((0, False) if has_marts else (1, True))
    assert (f"These pages show an earlier build. {WHY}" in said) == has_marts


def test_the_last_seven_days_unless_asked(shown: Shown) -> None:
    for day in range(9):
        shown.cell("m", day)
    assert shown.write() == 0
    assert "3 to 9 October 2018, 7 days" in shown.page("m")
    assert shown.write("--from", "2018-01-01") == 0
    assert "1 to 9 October 2018, 9 days" in shown.page("m")
    assert shown.write("--to", "2018-10-01") == 0
    assert "Monday 1 October 2018" in shown.page("m")


def test_a_folder_for_one_merchant_holds_nothing_of_others(shown: Shown) -> None:
    shown.cell("mine")
    shown.cell("rival")
    assert shown.write("--merchant", "mine") == 0
    stem = "merchant_mine_2018-10-01"
    names = {f"{stem}.html", f"{stem}.csv", f"{stem}_hours.csv", "definitions.html", folder.MARKER}
    assert {path.name for path in shown.out.iterdir()} == names
    assert not any("rival" in path.read_text(encoding="utf-8") for path in shown.out.iterdir())


def test_a_folder_is_replaced_whole_or_not_at_all(
    shown: Shown, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown.cell("m")
    shown.out.mkdir()
    (shown.out / "mine.txt").write_text("mine")
    assert shown.write() == 1
    assert "is not a folder of merchant pages" in capsys.readouterr().err
    assert (shown.out / "mine.txt").read_text() == "mine"

    (shown.out / "mine.txt").unlink()
    assert shown.write() == 0
    before = {path.name: path.read_bytes() for path in shown.out.iterdir()}

    shown.cell("n")
    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_csv_files", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            shown.write()
    assert {path.name: path.read_bytes() for path in shown.out.iterdir()} == before

    assert shown.write("--merchant", "n") == 0
    assert not set(before) - {folder.MARKER, "definitions.html"} & {path.name for path in shown.out.iterdir()}
    assert sorted(path.name for path in shown.out.parent.iterdir()) == ["pages", "shown.duckdb"]


def test_file_names_are_safe_and_distinct() -> None:
    dates = DateRange(FIRST, FIRST)
    ids = [*STRANGE, "a", "A", "a-b", "a_b", "a/b", "a.b", "-", "--", "é", "e\u0301", ".", "..", "0012", "12", "nul\n"]
    stems = [folder.file_stem(merchant, dates) for merchant in ids]
    assert len({stem.lower() for stem in stems}) == len(ids)
    assert all(re.fullmatch(r"merchant_[0-9a-z-]{1,41}_2018-10-01", stem) for stem in stems)


@pytest.mark.parametrize(
    ("secs", "said"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.5, "1 min 00 s"),
        (3599.5, "1 h 00 min"),
        (7199, "2 h 00 min"),
        (4e6, "1,111 h 07 min"),
    ],
)
def test_durations(secs: float, said: str) -> None:
    assert formats.duration(secs) == said


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ((2018, 10, 1), (2018, 10, 1), "Monday 1 October 2018"),
        ((2018, 10, 1), (2018, 10, 7), "1 to 7 October 2018"),
        ((2018, 9, 28), (2018, 10, 4), "28 September to 4 October 2018"),
        ((2018, 12, 28), (2019, 1, 3), "28 December 2018 to 3 January 2019"),
    ],
)
def test_ranges(first: tuple[int, int, int], last: tuple[int, int, int], said: str) -> None:
    assert str(DateRange(date(*first), date(*last))) == said


def test_axes_have_round_values_and_reach_the_top() -> None:
    for top in [0, 0.4, 1, 4, 5, 39, 41, 1234, 10**9]:
        for allowed in (None, charts.SECONDS):
            scale = charts.axis_values(top, allowed)
            assert scale[0] == 0
            assert max(top, scale[1]) <= scale[-1]
            assert len(scale) <= 5
