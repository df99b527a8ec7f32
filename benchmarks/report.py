"""Write the results of run.py to docs/scaling.md and a chart.

    python benchmarks/report.py results.jsonl docs

For each number of events, only the newest run counts, and of each step its fastest attempt, so that ratios are those of
one run. The figures go between the lines `<!-- benchmark: begin -->` and `<!-- benchmark: end -->` of docs/scaling.md,
the chart to docs/scaling-benchmark.svg.
"""

import json
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import altair as alt

CHART = "scaling-benchmark.svg"
PAGE = "scaling.md"
BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"
STEPS = {
    "start-up": "dbt's own start-up",
    "load": "load",
    "insert": "bare insert of the same Parquet file",
    "load csv": "load of the same events as CSV",
    "read_csv": "bare insert of the same CSV file",
    "build": "full build",
    "files to marts": "files to both marts: load and full build",
    "load a day": "one more day: load",
    "build a day": "one more day: build",
    "no-op": "build with nothing new",
    "duckdb": "hand-written DuckDB script",
    "spark": "PySpark, measure 1 only",
    "polars": "polars",
}
DATABASE_STEPS = {"load": "database, loaded", "build": "database, built", "build a day": "database, one day later"}
RIVALS = ("insert", "read_csv", "duckdb", "spark", "polars")
COLOURS = {
    "load": "#6a51a3",
    "build": "#b2182b",
    "build a day": "#d95f0e",
    "no-op": "#a67c00",
    "duckdb": "#525252",
    "spark": "#2b6ca3",
    "polars": "#3a9188",
}
LABEL_SHARE = 0.043  # share of the chart's height that one label needs


@dataclass(frozen=True)
class Record:
    """One step of one size, as run.py wrote it: durations in seconds, sizes in MB."""

    events: int
    rows: int
    step: str
    attempt: int
    seconds: float
    peak_mb: float
    database_mb: float
    started: str
    versions: dict[str, str]
    machine: dict[str, str | int]


Best = dict[tuple[int, str], Record]  # by number of events and step


def best_of(records: Iterable[Record]) -> Best:
    """Return the fastest record of each step in the newest run of each size.

    The step "files to marts" is the load and the full build, one after the other.
    """
    slowest_first = sorted(records, key=lambda record: -record.seconds)
    newest = {record.events: record.started for record in sorted(slowest_first, key=lambda record: record.started)}
    best = {(record.events, record.step): record for record in slowest_first if record.started == newest[record.events]}
    for events in newest:
        load, build = best.get((events, "load")), best.get((events, "build"))
        if load and build:
            best[events, "files to marts"] = replace(
                build,
                step="files to marts",
                seconds=load.seconds + build.seconds,
                peak_mb=max(load.peak_mb, build.peak_mb),
            )
    return best


def sizes(best: Best) -> list[int]:
    """Return the measured numbers of events, in ascending order."""
    return sorted({events for events, _ in best})


def million(events: int) -> str:
    """Return a number of events in millions, such as 10 M."""
    return f"{events / 1_000_000:g} M"


# ---------- tables
def row(name: str, best: Best, cell: Callable[[int], str | None]) -> str:
    """Return a line of a Markdown table. Cells without a value are empty."""
    return " | ".join([f"| {name}", *(cell(events) or "" for events in sizes(best))]) + " |"


def header(name: str, best: Best) -> list[str]:
    """Return the two header lines of a table."""
    columns = [name, *map(million, sizes(best))]
    return [f"| {' | '.join(columns)} |", "|---|" + "---:|" * len(sizes(best))]


def figures_table(best: Best) -> list[str]:
    """Return the table of run times, peak memory and file sizes."""

    def time_and_memory(step: str) -> Callable[[int], str | None]:
        return lambda events: (
            f"{found.seconds:,.1f} s, {found.peak_mb / 1000:,.1f} GB" if (found := best.get((events, step))) else None
        )

    def disk(step: str) -> Callable[[int], str | None]:
        return lambda events: f"{found.database_mb:,.0f} MB" if (found := best.get((events, step))) else None

    def rows(events: int) -> str:
        return f"{max(record.rows for key, record in best.items() if key[0] == events):,}"

    lines = [*header("events", best), row("rows before the last day", best, rows)]
    lines += [row(label, best, time_and_memory(step)) for step, label in STEPS.items()]
    lines += [row(label, best, disk(step)) for step, label in DATABASE_STEPS.items()]
    return lines


def targets_table(best: Best) -> list[str]:
    """Return the table of targets."""
    smallest = sizes(best)[0]

    def seconds(events: int, step: str) -> float:
        return best[events, step].seconds

    def beyond_start_up(events: int, step: str) -> float:
        return seconds(events, step) - seconds(events, "start-up")

    def growth(events: int) -> float:
        per_row = [beyond_start_up(size, "build") / best[size, "build"].rows for size in (events, smallest)]
        return per_row[0] / per_row[1]

    def peak_gb(events: int) -> float:
        return (
            max(record.peak_mb for (size, step), record in best.items() if size == events and step not in RIVALS) / 1000
        )

    def cell(work_out: Callable[[int], float], layout: str) -> Callable[[int], str | None]:
        def written(events: int) -> str | None:
            try:
                return layout.format(work_out(events))
            except (KeyError, ZeroDivisionError):
                return None

        return written

    asked: list[tuple[str, Callable[[int], float], str]] = [
        (
            "load / bare insert, Parquet: at most 2 at 10 M",
            lambda events: seconds(events, "load") / seconds(events, "insert"),
            "{:.1f}",
        ),
        (
            "load / bare insert, CSV: at most 2 at 10 M",
            lambda events: seconds(events, "load csv") / seconds(events, "read_csv"),
            "{:.1f}",
        ),
        (
            "full build / DuckDB script: at most 2.5 at 10 M",
            lambda events: seconds(events, "build") / seconds(events, "duckdb"),
            "{:.1f}",
        ),
        (
            "full build * / DuckDB script",
            lambda events: beyond_start_up(events, "build") / seconds(events, "duckdb"),
            "{:.1f}",
        ),
        (
            "PySpark / full build: at least 5 at 10 M",
            lambda events: seconds(events, "spark") / seconds(events, "build"),
            "{:.1f}",
        ),
        (
            "PySpark / files to both marts: at least 2.5 at 10 M",
            lambda events: seconds(events, "spark") / seconds(events, "files to marts"),
            "{:.1f}",
        ),
        (
            "files to both marts / polars: at most 2 at 10 M",
            lambda events: seconds(events, "files to marts") / seconds(events, "polars"),
            "{:.1f}",
        ),
        (
            "files to both marts / bare insert and DuckDB script",
            lambda events: seconds(events, "files to marts") / (seconds(events, "insert") + seconds(events, "duckdb")),
            "{:.1f}",
        ),
        (
            f"seconds per event of the full build *, relative to {million(smallest)}: at most 1.2 at 100 M",
            growth,
            "{:.2f}",
        ),
        (
            "build of one more day * / full build *: at most 5 % at 100 M",
            lambda events: beyond_start_up(events, "build a day") / beyond_start_up(events, "build"),
            "{:.1%}",
        ),
        ("peak memory of loads and dbt: at most 16 GB at 100 M", peak_gb, "{:.1f} GB"),
    ]
    lines = header("target", best)
    return lines + [row(name, best, cell(work_out, layout)) for name, work_out, layout in asked]


def setting(best: Best) -> str:
    """Return the date, machine and versions of the newest record."""
    newest = max(best.values(), key=lambda record: record.started)
    machine = newest.machine
    versions = ", ".join(f"{name} {version}" for name, version in newest.versions.items())
    return (
        f"Measured on {newest.started[:10]}: {machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_gb']} GB of memory, {machine['system']}; {versions}."
    )


def markdown(best: Best) -> str:
    """Return the text between the markers."""
    return "\n".join(
        [
            f"![Seconds of each step by number of events, on log scales]({CHART})",
            "",
            *figures_table(best),
            "",
            "Wall time, and the peak memory of the largest process.",
            "",
            *targets_table(best),
            "",
            "\\* without dbt's own start-up.",
            "",
            setting(best),
        ]
    )


def put_between_markers(page: Path, text: str) -> None:
    """Replace the text between the markers of `page`. Raises ValueError if one is missing."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} must contain the lines {BEGIN} and {END}, around the figures")
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


# ---------- chart
def label_heights(seconds: dict[str, float], low: float, high: float) -> dict[str, float]:
    """Return the y value (seconds) of each line's label, as close to the end of its line as the others allow."""
    room = LABEL_SHARE * math.log(high / low)
    heights: dict[str, float] = {}
    above = -math.inf
    for step in sorted(seconds, key=lambda name: seconds[name]):
        above = max(math.log(seconds[step]), above + room)
        heights[step] = math.exp(above)
    return heights


def save_chart(best: Best, file: Path) -> None:
    """Write the chart as SVG: one line per step in COLOURS, with its name at the end."""
    drawn = {key: record for key, record in best.items() if key[1] in COLOURS}
    last = {step: max(events for events, name in drawn if name == step) for _, step in drawn}
    first, final = sizes(best)[0], sizes(best)[-1]
    seconds = [record.seconds for record in drawn.values()]
    low, high = min(seconds) / 1.5, max(seconds) * 1.5
    heights = label_heights({step: drawn[events, step].seconds for step, events in last.items()}, low, high)

    points = [
        {"events": events, "seconds": record.seconds, "step": step, "kind": "rival" if step in RIVALS else "own"}
        for (events, step), record in sorted(drawn.items())
    ]
    labels = [
        {"events": last[step], "seconds": height, "step": step, "label": STEPS[step]}
        for step, height in heights.items()
    ]
    x = alt.X(
        "events:Q",
        scale=alt.Scale(type="log", domain=[first / 1.4, final * (final / first) ** 0.5 * 3], nice=False),
        axis=alt.Axis(values=sizes(best), labelExpr="datum.value / 1000000 + ' M'", grid=False, title="events"),
    )
    y = alt.Y(
        "seconds:Q",
        scale=alt.Scale(type="log", domain=[low, max(high, *heights.values())], nice=False),
        axis=alt.Axis(
            values=[step * 10**power for power in range(-1, 6) for step in (1, 3)],
            format="~g",
            title="seconds",
            gridOpacity=0.5,
        ),
    )
    colour = alt.Color("step:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=None)
    dash = alt.StrokeDash("kind:N", scale=alt.Scale(domain=["own", "rival"], range=[[1, 0], [5, 3]]), legend=None)

    data = alt.Chart(alt.InlineData(values=points))
    lines = data.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash)
    dots = data.mark_point(filled=True, size=50, opacity=1).encode(x=x, y=y, color=colour)
    names = (
        alt.Chart(alt.InlineData(values=labels))
        .mark_text(align="left", dx=9, fontSize=12)
        .encode(x=x, y=y, color=colour, text="label:N")
    )
    title = alt.TitleParams(
        "Run time of each step by number of events",
        subtitle="Dashed: other implementations on the same events. Both axes have log scales.",
        anchor="start",
    )
    layers = alt.layer(lines, dots, names).properties(title=title, background="white", width=640, height=420)
    layers.configure_view(strokeWidth=0).save(str(file))


def main(arguments: list[str]) -> int:
    """Write page and chart. Return 0, or 1 if that is not possible."""
    results, docs = map(Path, arguments)
    try:
        lines = results.read_text(encoding="utf-8").splitlines()
        best = best_of(Record(**json.loads(line)) for line in lines)
        put_between_markers(docs / PAGE, markdown(best))
        save_chart(best, docs / CHART)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Wrote {docs / PAGE} and {docs / CHART}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
