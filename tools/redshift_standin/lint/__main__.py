"""Lint files or folders of compiled SQL: python -m tools.redshift_standin.lint target/compiled"""

import sys
from pathlib import Path

from tools.redshift_standin.lint import lint


def main(arguments: list[str]) -> int:
    """Print the findings. Return 1 if there are any, 2 if there are no files to read."""
    paths = [Path(argument) for argument in arguments]
    missing = [str(path) for path in paths if not path.exists()]
    if missing or not paths:
        print(f"No such file or folder: {', '.join(missing)}" if missing else __doc__, file=sys.stderr)
        return 2
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*.sql")))]
    findings = [finding for file in files for finding in lint(file.read_text(), str(file))]
    print("".join(f"{finding}\n" for finding in findings), end="")
    print(f"{len(files)} files, {len(findings)} findings", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
