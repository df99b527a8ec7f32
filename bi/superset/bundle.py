"""The dashboards as one file, to import into another Superset: ``make superset-zip URL=...``."""

import argparse
from pathlib import Path
from zipfile import ZipFile

import yaml

EXPORT = Path(__file__).parent / "export"
DATABASE = "databases/flyer_marts.yaml"


def contents(sqlalchemy_uri: str) -> dict[str, str]:
    """Return Superset's export by path, with the marts in the database at ``sqlalchemy_uri``."""
    files = {str(file.relative_to(EXPORT)): file.read_text(encoding="utf-8") for file in sorted(EXPORT.rglob("*.yaml"))}
    database = yaml.safe_load(files[DATABASE]) | {"sqlalchemy_uri": sqlalchemy_uri}
    return files | {DATABASE: yaml.safe_dump(database, sort_keys=False)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="redshift+psycopg2://reader@host:5439/database, without a password")
    parser.add_argument("--out", type=Path, default=Path("flyer_dashboards.zip"), help="the file to write")
    options = parser.parse_args()
    with ZipFile(options.out, "w") as bundle:
        for name, text in contents(options.url).items():
            bundle.writestr(f"flyer_dashboards/{name}", text)
    print(f"Written: {options.out}. Import it in Superset under Dashboards, which asks for the password.")


if __name__ == "__main__":
    main()
