"""The plan for a trillion events: its tables in docs/scaling.md are what benchmarks/plan.py works out."""

import re
from dataclasses import replace

import pytest

from benchmarks import plan


def test_the_page_has_what_the_program_works_out() -> None:
    page = plan.PAGE.read_text(encoding="utf-8")
    assert plan.filled(page) == page, "run .venv/bin/python benchmarks/plan.py"
    assert plan.main(["--check"]) == 0


def test_every_input_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another value of an input changes a table beside that of the inputs."""
    before = plan.tables()
    for group, inputs in plan.INPUTS.items():
        for place, changed in enumerate(inputs):
            others = [*inputs[:place], replace(changed, value=changed.value * 3), *inputs[place + 1 :]]
            with monkeypatch.context() as patch:
                patch.setitem(plan.INPUTS, group, others)
                after = plan.tables()
            assert {name for name in after if after[name] != before[name]} > {"inputs"}, changed.name


def test_sums_as_printed_give_the_result() -> None:
    """A reader who works out a sum from the page's rounded numbers gets its result, to half a percent."""
    for lines in plan.LINES.values():
        for line in plan.lines_table(lines, plan.worked_out()).splitlines()[2:]:
            _, _, formula, result, _ = line.split("|")
            number = float(as_python(result).split()[0])
            expected = eval(as_python(formula), dict(plan.FUNCTIONS))  # noqa: S307
            assert number == pytest.approx(expected, rel=0.005), line


def as_python(printed: str) -> str:
    for letter, power in {" T": "e12", " G": "e9", " M": "e6"}.items():
        printed = re.sub(rf"(?<=\d){letter}(?![a-zA-Z])", power, printed)
    return printed.replace(",", "").replace(" x ", " * ").strip()


@pytest.mark.parametrize("name", ["first", "inputs"])
def test_a_table_without_a_place_is_named(name: str) -> None:
    page = plan.PAGE.read_text(encoding="utf-8").replace(f"<!-- plan {name}: begin -->", "")
    with pytest.raises(ValueError, match=f"for: {name}$"):
        plan.filled(page)
