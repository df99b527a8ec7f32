"""Work out the plan for a trillion events, and write its tables into docs/scaling.md.

    python benchmarks/plan.py            # writes the tables
    python benchmarks/plan.py --check    # exits with status 1 if they differ from what this program works out

INPUTS are what the plan takes for granted, each with its basis. A line of a table is a formula over inputs and earlier
lines; the page shows it with their numbers in it. A table goes between `<!-- plan NAME: begin -->` and
`<!-- plan NAME: end -->`. Work is counted in RPU-seconds: what one Redshift processing unit does in a second.
"""

import argparse
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scaling.md"
BLOCK = re.compile(r"(<!-- plan (\w+): begin -->\n).*?(<!-- plan \2: end -->)", re.DOTALL)
NAME = re.compile(r"\b[a-z]\w*")
FUNCTIONS = {"ceil": math.ceil, "max": max}


@dataclass(frozen=True)
class Input:
    """A number that the plan takes for granted, and why."""

    name: str
    value: float
    unit: str
    basis: Literal["measured", "documented", "counted", "assumed"]
    source: str


@dataclass(frozen=True)
class Line:
    """A number that the plan works out: a formula over inputs and earlier lines, and the unit of its result."""

    name: str
    label: str
    formula: str
    unit: str


INPUTS = {
    "volume": [
        Input("events", 1e12, "events", "assumed", "the plan's size"),
        Input("years", 3, "years", "assumed", "in which they arrive"),
        Input("peak", 4, "times the average", "assumed", "busiest hours of a day"),
        Input("late_dates", 7, "dates", "assumed", "dates on which the events of a day's load happened"),
        Input("parquet", 24, "bytes/event", "measured", "zstd; generated days take 8 to 24"),
    ],
    "storage": [
        Input(
            "stored", 97, "bytes/event", "measured", "built database, table above; on Redshift assumed to be the same"
        ),
        Input("raw", 21, "%", "measured", "share of raw at 2 M events"),
        Input("staging", 14, "%", "measured", "the same"),
        Input("intermediate", 44, "%", "measured", "the same"),
        Input("marts", 21, "%", "measured", "the same"),
        Input("hot", 13, "months", "assumed", "how long all layers stay in Redshift, if older months are moved out"),
    ],
    "rates": [
        Input("build_rate", 50e3, "events/s per RPU", "assumed", "between groupings and unloads: see above"),
        Input("write_rate", 150e3, "rows/s per RPU", "assumed", "COPY or insert of raw rows; unloads [1]"),
        Input(
            "scan_rate",
            80e6,
            "rows/s per RPU",
            "documented",
            "sums of two columns, query 3, cold; five times as many warm [3]",
        ),
        Input(
            "key_rate", 1.87e6, "rows/s per RPU", "documented", "groups by two keys of many values, query 33, cold [3]"
        ),
        Input("node", 8, "RPU", "assumed", "what an rg.4xlarge does: as many as cost the same"),
        Input("memory", 137.4, "GB", "documented", "of an rg.4xlarge: 128 GiB [2]"),
    ],
    "project": [
        Input("sorted", 52, "bytes/event", "counted", "widths of what the largest window sorts, uncompressed"),
        Input("writes", 2, "writes of a raw row", "counted", "COPY into a temporary table, then into raw"),
        Input("beside", 2, "days", "counted", "that a load of a month reads on either side of it, rounded up"),
        Input("nightly", 2, "events recomputed per new one", "measured", "reference day, one run a day: 1 to 2"),
        Input("parts", 0.146, "rows/event", "measured", "session parts; every run reads all of them twice"),
        Input("view_parts", 0.047, "rows/event", "measured", "view parts; every run reads all of them"),
        Input("scanned", 27.6, "rows/event", "counted", "of all data tests: not null, expressions, counts"),
        Input(
            "always",
            2,
            "rows/event",
            "counted",
            "of these, tests that read all rows whatever the scope: load times, deliveries",
        ),
        Input(
            "grouped",
            15.6,
            "rows/event",
            "counted",
            "of all data tests: unique keys, sums compared, views put together",
        ),
        Input(
            "of_views", 8.1, "rows/event", "counted", "of these, tests of `int_flyer_views`, which run by request only"
        ),
        Input("statements", 265, "statements", "counted", "of a run with nothing new; a test holds it to that"),
    ],
    "prices": [
        Input("node_hour", 3.04267, "USD/hour", "documented", "rg.4xlarge [4]"),
        Input("rpu_hour", 0.375, "USD/RPU-hour", "documented", "Serverless [4]"),
        Input("managed", 0.024, "USD/GB-month", "documented", "managed storage [4]"),
        Input("s3", 0.023, "USD/GB-month", "documented", "S3 Standard, first 50 TB [8]"),
        Input("month", 730, "hours", "documented", "a month, as AWS bills it"),
    ],
    "freshness": [
        Input("stream", 10, "s", "documented", "streaming ingestion, 'in many cases' [7]"),
        Input("dbt", 8.3, "s", "measured", "build with nothing new on DuckDB, table above: dbt itself"),
        Input("round_trip", 0.1, "s", "assumed", "a small statement with its commit"),
        Input("threads", 4, "at a time", "counted", "`FLYER_REDSHIFT_THREADS`; hooks send one after the other"),
        Input("least", 13, "events recomputed per new one", "measured", "reference day, a run every 120 s: 13 to 38"),
        Input("most", 38, "events recomputed per new one", "measured", "the same"),
        Input("overhead", 2, "times", "assumed", "small runs use a cluster worse than large ones"),
        Input("nodes", 8, "nodes", "assumed", "for the table of 120 seconds"),
    ],
}

LINES = {
    "arrives": [
        Line("day", "events a day", "events / (years * 365)", ""),
        Line("second", "events a second", "day / 86400", ""),
        Line("month_events", "events a month", "events / (years * 12)", ""),
        Line("files_tb", "Parquet, in total", "events * parquet / 1e12", "TB"),
        Line("files_day", "Parquet, a day", "day * parquet / 1e9", "GB"),
    ],
    "first": [
        Line("first_rpu", "32 nodes", "32 * node", "RPU"),
        Line("first_memory", "their memory", "32 * memory / 1000", "TB"),
        Line("sorted_all", "one statement over everything sorts", "events * sorted / 1e12", "TB"),
        Line("sorted_month", "one over a month", "month_events * sorted / 1e12", "TB"),
        Line("copy_secs", "load: COPY, then insert into raw", "events * writes / (write_rate * first_rpu)", "s"),
        Line("build_secs", "build, month by month", "events * (1 + beside / 30) / (build_rate * first_rpu)", "s"),
        Line(
            "parts_secs",
            "all parts so far, in each of 36 runs",
            "events * (2 * parts + view_parts) * (36 + 1) / 2 / (scan_rate * first_rpu)",
            "s",
        ),
        Line("first_hours", "together", "(copy_secs + build_secs + parts_secs) / 3600", "h"),
        Line(
            "first_best", "the same, build three times as fast", "(copy_secs + build_secs / 3 + parts_secs) / 3600", "h"
        ),
        Line("first_worst", "the same, three times as slow", "(copy_secs + build_secs * 3 + parts_secs) / 3600", "h"),
        Line("first_usd", "cost", "first_hours * 32 * node_hour", "USD"),
        Line(
            "first_tests", "all data tests once", "events * (scanned / scan_rate + grouped / key_rate) / 3600", "RPU-h"
        ),
        Line("first_tests_hours", "the same on 32 nodes", "first_tests / first_rpu", "h"),
    ],
    "day": [
        Line("day_copy", "load: COPY, then insert into raw", "day * writes / write_rate", "RPU-s"),
        Line("day_build", "recomputed days", "day * nightly / build_rate", "RPU-s"),
        Line(
            "day_staged",
            "staged events of the load's dates: merged, deleted, listed; with 8 dates beside them for their users",
            "day * (3 * late_dates + late_dates + 8) / scan_rate",
            "RPU-s",
        ),
        Line(
            "day_parts",
            "parts of the whole history, at the trillion",
            "events * (2 * parts + view_parts) / scan_rate",
            "RPU-s",
        ),
        Line("day_rpu", "a run, without tests", "(day_copy + day_build + day_staged + day_parts) / 3600", "RPU-h"),
        Line("day_minutes", "the same on two nodes", "day_rpu / (2 * node) * 60", "minutes"),
        Line("day_usd", "the same on Serverless", "day_rpu * rpu_hour", "USD"),
    ],
    "tests": [
        Line("all_scan", "all: scans", "events * scanned / scan_rate / 3600", "RPU-h"),
        Line("all_keys", "all: groups", "events * grouped / key_rate / 3600", "RPU-h"),
        Line("all_usd", "all: cost", "(all_scan + all_keys) * rpu_hour", "USD"),
        Line("all_hours", "all: on two nodes", "(all_scan + all_keys) / (2 * node)", "h"),
        Line(
            "new_scan", "touched: scans of the load's dates", "day * late_dates * scanned / scan_rate / 3600", "RPU-h"
        ),
        Line(
            "new_keys",
            "touched: groups of the recomputed days",
            "day * nightly * (grouped - of_views) / key_rate / 3600",
            "RPU-h",
        ),
        Line("new_always", "touched: what reads all rows even so", "events * always / scan_rate / 3600", "RPU-h"),
        Line("new_rpu", "touched: together", "new_scan + new_keys + new_always", "RPU-h"),
        Line("new_usd", "touched: cost", "new_rpu * rpu_hour", "USD"),
        Line("new_minutes", "touched: on two nodes", "new_rpu / (2 * node) * 60", "minutes"),
    ],
    "freshness": [
        Line("run", "a run may take", "(120 - stream) / 2", "s"),
        Line("fixed", "dbt and its statements", "dbt + statements * round_trip / threads", "s"),
        Line("few", "recomputed, least", "second * 120 * least * overhead / (build_rate * node * nodes)", "s"),
        Line("many", "recomputed, most", "second * 120 * most * overhead / (build_rate * node * nodes)", "s"),
        Line(
            "parts_all",
            "parts of the whole history",
            "events * (2 * parts + view_parts) / (scan_rate * node * nodes)",
            "s",
        ),
        Line("parts_hot", "parts of 13 months", "parts_all * hot / (years * 12)", "s"),
        Line("run_all", "together, at most", "fixed + many + parts_all", "s"),
        Line("run_hot", "together, of 13 months", "fixed + many + parts_hot", "s"),
        Line("nodes_all", "nodes that keep to it", "ceil((many + parts_all) * nodes / (run - fixed))", "nodes"),
        Line("nodes_hot", "the same, of 13 months", "ceil((many + parts_hot) * nodes / (run - fixed))", "nodes"),
        Line("nodes_none", "if no parts were read whole", "ceil(many * nodes / (run - fixed))", "nodes"),
    ],
    "bill": [
        Line("night_compute", "a run each night, Serverless", "day_usd * month / 24", "USD"),
        Line("night_tests", "its data tests, touched", "new_usd * month / 24", "USD"),
        Line("all_tests", "all data tests, once a month", "all_usd", "USD"),
        Line("storage_usd", "managed storage, all layers and months", "events * stored / 1e9 * managed", "USD"),
        Line("files_usd", "files in S3", "files_tb * 1000 * s3", "USD"),
        Line(
            "bill_usd",
            "a month at the end of the third year",
            "night_compute + night_tests + all_tests + storage_usd + files_usd",
            "USD",
        ),
    ],
}

# How often a run starts, and how many events it recomputes per new one: measured on the reference day.
SCHEDULES = [("1 day", 1, 2), ("1 hour", 4, 12), ("15 minutes", 7, 20), ("120 seconds", 13, 38)]
LAYERS = ["raw", "staging", "intermediate", "marts"]


def short(value: float) -> str:
    """Return a number with four digits and M, G or T for powers of ten, such as 1.268 M."""
    for power, letter in ((1e12, " T"), (1e9, " G"), (1e6, " M")):
        if value >= power:
            return f"{value / power:.4g}{letter}"
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.4g}"


def with_unit(value: float, unit: str) -> str:
    """Return a number in its unit, such as 26.5 h."""
    return f"{short(value)} {unit}".strip()


def worked_out() -> dict[str, float]:
    """Return all numbers by name: inputs, then lines in order. Raises NameError if a formula names a later line."""
    values = {item.name: item.value for group in INPUTS.values() for item in group}
    for lines in LINES.values():
        for line in lines:
            # The formulas are those above.
            values[line.name] = eval(line.formula, {"__builtins__": {}}, {**FUNCTIONS, **values})  # noqa: S307
    return values


# ---------- tables
def table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table. Columns of `head` are separated by bars; a colon after a name aligns it to the right."""
    names = head.split("|")
    lines = [names, ["---:" if name.endswith(":") else "---" for name in names], *rows]
    return "\n".join(
        "| " + " | ".join(cell.removesuffix(":") if line is names else cell for cell in line) + " |" for line in lines
    )


def inputs_table() -> str:
    """Return the table of what is taken for granted."""
    rows = (
        [item.name.replace("_", " "), with_unit(item.value, item.unit), item.basis, item.source]
        for group in INPUTS.values()
        for item in group
    )
    return table("input|value:|basis|what it is, or source", rows)


def lines_table(lines: Iterable[Line], values: Mapping[str, float]) -> str:
    """Return a table of results, each with its sum in numbers."""

    def in_numbers(formula: str) -> str:
        numbers = NAME.sub(lambda name: short(values[name[0]]) if name[0] in values else name[0], formula)
        return numbers.replace(" * ", " x ")

    return table(
        "what|sum|result:",
        ([line.label, in_numbers(line.formula), with_unit(values[line.name], line.unit)] for line in lines),
    )


def storage_table(values: Mapping[str, float]) -> str:
    """Return terabytes and USD a month of each layer, of all months and of the hot ones."""

    def terabytes(share: float, months: float) -> float:
        return values["events"] * months / (values["years"] * 12) * values["stored"] * share / 100 / 1e12

    every = values["years"] * 12
    cells = [
        (layer, values[layer], terabytes(values[layer], every), terabytes(values[layer], values["hot"]))
        for layer in LAYERS
    ]
    # Marts stay.
    kept = [
        (layer, share, every_tb, every_tb if layer == "marts" else hot_tb) for layer, share, every_tb, hot_tb in cells
    ]
    total = ("together", *(sum(column) for column in list(zip(*kept, strict=True))[1:]))
    return table(
        "layer|bytes an event:|36 months, TB:|USD a month:|13 months, marts all, TB:|USD a month:",
        (
            [
                str(layer),
                f"{values['stored'] * share / 100:.0f}",
                f"{every_tb:.0f}",
                f"{every_tb * 1000 * values['managed']:,.0f}",
                f"{hot_tb:.0f}",
                f"{hot_tb * 1000 * values['managed']:,.0f}",
            ]
            for layer, share, every_tb, hot_tb in [*kept, total]
        ),
    )


def schedules_table(values: Mapping[str, float]) -> str:
    """Return nodes and USD a month by how often a run starts, for the events that it recomputes."""
    node_rate = values["build_rate"] * values["node"]
    rows = []
    for interval, *recomputed in SCHEDULES:
        nodes = [
            max(2, math.ceil(values["second"] * times * values["peak"] * values["overhead"] / node_rate))
            for times in recomputed
        ]
        usd = [count * values["node_hour"] * values["month"] for count in nodes]
        rows.append(
            [
                interval,
                *(
                    " to ".join(dict.fromkeys(cells))
                    for cells in (
                        [str(times) for times in recomputed],
                        [str(count) for count in nodes],
                        [f"{cost:,.0f}" for cost in usd],
                    )
                ),
            ]
        )
    return table("a run every|events recomputed per new event|nodes:|USD a month:", rows)


def tables() -> dict[str, str]:
    """Return every table of the page by the name of its markers."""
    values = worked_out()
    return {
        "inputs": inputs_table(),
        "storage": storage_table(values),
        "schedules": schedules_table(values),
        **{name: lines_table(lines, values) for name, lines in LINES.items()},
    }


def filled(page: str) -> str:
    """Return the page with every table in place. Raises ValueError if one has no markers, KeyError for unknown ones."""
    written = tables()
    missing = written.keys() - {block[2] for block in BLOCK.finditer(page)}
    if missing:
        raise ValueError(f"{PAGE} has no lines <!-- plan NAME: begin --> and end for: {', '.join(sorted(missing))}")
    return BLOCK.sub(lambda block: f"{block[1]}{written[block[2]]}\n{block[3]}", page)


def main(arguments: list[str] | None = None) -> int:
    """Write the tables, or compare them. Returns the exit status."""
    parser = argparse.ArgumentParser(description="The plan for a trillion events, in docs/scaling.md.")
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 if the page differs")
    page = PAGE.read_text(encoding="utf-8")
    new = filled(page)
    if parser.parse_args(arguments).check:
        return int(page != new)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
