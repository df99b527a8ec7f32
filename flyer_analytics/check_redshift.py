"""Check a new Redshift before the first load: ``python -m flyer_analytics.check_redshift``.

Do the expressions that models rely on have the values that they should have there, and do all models, built from the
sample whole and as an increment, have the rows that they have on DuckDB? Needs a database without loaded events, and
leaves the sample in it: the first build of loaded events replaces it.
"""

import json
import os
import socket
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from graphlib import TopologicalSorter
from operator import eq
from pathlib import Path
from typing import Any

from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode

from flyer_analytics.dbt_process import Dbt, DbtError
from flyer_analytics.lock import LockedError, writer_lock
from flyer_analytics.text import counted

Say = Callable[[str], None]
Checksums = dict[str, Any]
"""The ``rows`` of a model, their ``checksum``, and of its ``columns`` the number of values and their checksum."""

FOLDER = Path("target/check_redshift")
DATABASE = FOLDER / "flyer_analytics.duckdb"
CONNECT_SECS = 10.0
EVERY_DATE = json.dumps({"recompute_dates": "1900-01-01/2999-12-31"})
IAM_METHODS = ("iam", "iam_role")
EXAMPLE_COLUMNS = 3  # shown beside those that differ, the first of which are a model's keys
LONGEST_VALUE = 80  # characters


def check(target: Dbt, local: Dbt, say: Say) -> list[str]:
    """Compare ``target`` with ``local``, which is DuckDB. Return what differs, and what that means.

    Raises DbtError if the target has loaded events, before anything is changed.
    """
    target.operation("require_no_events")
    problems: list[str] = []
    try:
        with step(f"Evaluating expressions on {target.target}", say):
            problems += engine_problems(target, say)
        with step("Building the sample on DuckDB", say):
            succeed(local, "run")
        with step(f"Building the sample on {target.target}", say):
            succeed(target, "seed")
            succeed(target, "run", "--full-refresh")
        with step("Comparing the rows of each model", say):
            differences = row_differences(target, local)
        if not differences:
            with step(f"Recomputing every date on {target.target} as an increment, and comparing again", say):
                succeed(target, "run", "--vars", EVERY_DATE)
                differences = [f"After an increment: {difference}" for difference in row_differences(target, local)]
    except DbtError as error:
        return [*problems, reason(error)]
    return problems + differences


def engine_problems(dbt: Dbt, say: Say) -> list[str]:
    """Return which expressions fail or have other values than expected. Raises DbtError if none can be evaluated."""
    failed: dict[str, str] = {}
    while True:
        try:
            engine, *_, result = dbt.operation("check_engine", skip=[*failed])
        except DbtError as error:
            engine, *started = dbt.said or [""]
            if "expressions have other values" in str(error):
                say(f"    {engine}")
                return [*failed.values(), reason(error)]
            if not started:
                raise
            # The statement of this one failed, and the operation with it: go on with the others.
            failed[started[-1]] = f"{started[-1]}: fails on {dbt.target}: {reason(error)}"
        else:
            say(f"    {engine}")
            say(f"    {result}")
            return [*failed.values()]


def row_differences(target: Dbt, local: Dbt) -> list[str]:
    """Return which models and columns differ between the two, each with an example."""
    models = models_in_order(target.manifest)
    there, here = (checksums(dbt, [*models]) for dbt in (target, local))
    differing = {model.unique_id for name, model in models.items() if there[name] != here[name]}
    return [
        difference(models[name], there[name], here[name], differing, target, local)
        for name in models
        if models[name].unique_id in differing
    ]


def models_in_order(manifest: Manifest) -> dict[str, ModelNode]:
    """Return all models by their name, each after those that it reads."""
    models = {node.unique_id: node for node in manifest.nodes.values() if isinstance(node, ModelNode)}
    order = TopologicalSorter({id_: model.depends_on_nodes for id_, model in models.items()}).static_order()
    return {models[id_].name: models[id_] for id_ in order if id_ in models}


def checksums(dbt: Dbt, models: Sequence[str]) -> dict[str, Checksums | str]:
    """Return the checksums of each model, or the error with which it cannot be read."""
    found: dict[str, Checksums | str] = {}
    while left := models[len(found) :]:
        error = None
        try:
            dbt.operation("model_checksums", models=left)
        except DbtError as raised:
            error = reason(raised)
        found.update(zip(left, map(json.loads, dbt.said), strict=False))
        if error:
            found[models[len(found)]] = error
    return found


def difference(
    model: ModelNode, there: Checksums | str, here: Checksums | str, differing: set[str], target: Dbt, local: Dbt
) -> str:
    """Return how a model differs, and what that means."""
    if isinstance(there, str) or isinstance(here, str):
        return f"{model.name} cannot be read: {there if isinstance(there, str) else here}"
    if there["columns"].keys() != here["columns"].keys():
        return f"{model.name} has other columns: {', '.join(there['columns'])}; on DuckDB {', '.join(here['columns'])}"
    columns = [name for name, values in there["columns"].items() if values != here["columns"][name]]
    causes = sorted(id_.rpartition(".")[2] for id_ in differing.intersection(model.depends_on_nodes))
    lines = [
        f"{model.name}: {there['rows']:,} rows on {target.target}, {here['rows']:,} on DuckDB; "
        + (f"other values in {', '.join(columns)}" if columns else "the same values in other rows"),
        f"    It reads {', '.join(causes)}: look there first."
        if causes
        else f"    All that it reads is equal, so an expression of {model.original_file_path} differs.",
    ]
    for name in columns[:EXAMPLE_COLUMNS]:
        lines += [f"    {name}: {first_sentence(model.columns[name].description)}"] if name in model.columns else []
    return "\n".join(lines + example(model.name, [*there["columns"]], target, local))


def example(model: str, columns: Sequence[str], target: Dbt, local: Dbt) -> list[str]:
    """Return a row that only the target has and the row that only DuckDB has and that is most like it, as texts."""
    there, here = (Counter(map(tuple, dbt.answer("model_rows", model=model))) for dbt in (target, local))
    only_there, only_here = sorted(there - here, key=repr)[:1], sorted(here - there, key=repr)
    for row in only_there:
        only_here.sort(key=lambda other: -sum(map(eq, row, other)))
    pair = only_there + only_here[:1]
    shown = [place for place in range(len(columns)) if place < EXAMPLE_COLUMNS or len({row[place] for row in pair}) > 1]
    return [
        f"    only on {target.target if row in only_there else 'DuckDB'}: "
        + ", ".join(f"{columns[place]} = {str(row[place])[:LONGEST_VALUE]}" for place in shown)
        for row in pair
    ]


def first_sentence(description: str) -> str:
    return " ".join(description.split()).partition(". ")[0]


def reason(error: DbtError) -> str:
    """Return what an error says, without dbt's lines about where an operation raised it."""
    first, _, message = str(error).partition("\n")
    if not first.startswith("Encountered an error while running operation"):
        return str(error)
    return textwrap.dedent(message.partition("\n  > in macro")[0]).strip()


def succeed(dbt: Dbt, *arguments: str) -> None:
    """Run a command of dbt. Raises DbtError."""
    result = dbt.invoke(*arguments, "--no-use-colors")
    if not result.success:
        raise DbtError(f"dbt {arguments[0]} --target {dbt.target} failed:\n{dbt.reason(result)}")


@contextmanager
def step(name: str, say: Say) -> Iterator[None]:
    """Say what is done, and how long it took."""
    say(name)
    started = time.monotonic()
    yield
    say(f"    {time.monotonic() - started:,.1f} s")


def require_reachable() -> None:
    """Raise DbtError if nothing listens at Redshift's address, which dbt would notice after minutes only."""
    host, port = os.environ.get("FLYER_REDSHIFT_HOST"), os.environ.get("FLYER_REDSHIFT_PORT", "5439")
    if not host:
        return  # dbt names the variable
    if os.environ.get("FLYER_REDSHIFT_METHOD") in IAM_METHODS and ".amazonaws.com" not in host:
        raise DbtError(
            f"FLYER_REDSHIFT_HOST is {host}, and a login with AWS credentials needs the name of the workgroup or"
            " cluster, which dbt takes from the endpoint: set the endpoint that AWS shows, which ends in amazonaws.com"
        )
    try:
        socket.create_connection((host, int(port)), CONNECT_SECS).close()
    except (OSError, ValueError) as error:
        raise DbtError(
            f"{host}:{port} cannot be reached within {CONNECT_SECS:.0f} s ({error}). Check FLYER_REDSHIFT_HOST and"
            " FLYER_REDSHIFT_PORT, that the workgroup or cluster runs, and that its security group admits this machine"
        ) from error


def main() -> int:
    """Check the target redshift, and print what differs. Return the exit status."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    DATABASE.unlink(missing_ok=True)
    os.environ |= {"FLYER_DUCKDB_PATH": str(DATABASE), "DBT_TARGET_PATH": str(FOLDER)}
    try:
        require_reachable()
        with writer_lock("check_redshift", target="redshift"):
            problems = check(Dbt("redshift"), Dbt("duckdb"), say)
    except (DbtError, LockedError) as error:
        say(f"Not checked: {reason(error) if isinstance(error, DbtError) else error}")
        return 1
    for problem in problems:
        say(f"\n{problem}")
    if problems:
        say(f"\nDo not load events yet: {counted(len(problems), 'difference')} (see above)")
        return 1
    say("Redshift gives the rows that DuckDB gives. The first build of loaded events replaces the sample.")
    return 0


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
