"""Print what lock.txt holds for the project and the extras that are named: python requirements/pick.py dev explore

All extras share one lock, so that each package has one version everywhere. pip checks hashes only of what it is asked
to install by version, so each environment needs its part of the lock. The part is complete, or pip refuses it.
"""

import re
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ENTRY = re.compile(r"^(?P<name>[a-z0-9-]+)(\[.*?\])?==.*?\n    # via (?P<needed_by>[^\n]+)\n", re.DOTALL | re.MULTILINE)


def pick(extras: list[str]) -> str:
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = sum((project["optional-dependencies"][extra] for extra in extras), project["dependencies"])
    needed = {re.split("[^a-z0-9-]", requirement)[0] for requirement in asked}
    entries = list(ENTRY.finditer((HERE / "lock.txt").read_text(encoding="utf-8")))
    while more := {e["name"] for e in entries if needed.intersection(e["needed_by"].split(", "))} - needed:
        needed |= more
    return "".join(entry[0] for entry in entries if entry["name"] in needed)


if __name__ == "__main__":
    print(pick(sys.argv[1:]), end="")
