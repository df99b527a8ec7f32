"""Write the documentation site as one file: ``python -m flyer_analytics.site``, after ``dbt docs generate``.

dbt's own page adds every unit test and singular test to the lineage, draws it small and pale, truncates the names of
relations, is too wide for a phone and asks for icons that do not exist. No setting changes that, so this command
changes the page.
"""

import json
import os
import sys
from pathlib import Path

from flyer_analytics.explained import explained

STYLE = """<style>
.detail-body { white-space: normal !important }
@media (max-width: 700px) {
    .app { min-width: 0 !important }
    .app-menu { display: none !important }
    .app-frame, .panel-body { padding-left: 12px !important; padding-right: 12px !important }
    .panel-body { overflow-x: auto }
    h1, .markdown { overflow-wrap: anywhere }
}
</style></head>"""

CHANGES = {
    # the lineage: larger names, since columns are closer together; edges and models in full color
    "rankSep:200": "rankSep:45",
    '"font-weight":300,"font-family"': '"font-weight":600,"font-family"',
    '"target-arrow-color":"#006f8a"': '"target-arrow-color":"#7fc4d6"',
    '"line-color":"#006f8a"': '"line-color":"#7fc4d6"',
    '"background-opacity":.2,': "",
    # icons: an address before its expression is evaluated, and one that only dbt's own build replaces
    '<use xlink:href="{{': '<use ng-attr-xlink:href="{{',
    "${require('./assets/favicons/favicon.ico')}": "data:,",
    "</head>": STYLE,
}


def page(template: str, manifest: str, catalog: str) -> str:
    """Return ``template``, dbt's page, with manifest and catalog (JSON) included."""
    project = json.loads(manifest)
    project["unit_tests"] = {}
    # Generic tests stay: the pages of their models show them.
    project["nodes"] = {
        key: node
        for key, node in project["nodes"].items()
        if node["resource_type"] != "test" or "test_metadata" in node
    }
    known = project["nodes"].keys() | project["sources"].keys() | project["exposures"].keys()
    known |= project["metrics"].keys() | project["semantic_models"].keys() | project["saved_queries"].keys()
    project["child_map"] = {
        key: [child for child in children if child in known] for key, children in project["child_map"].items()
    }
    # The data are inside a script element, which `</` could end.
    inline = json.dumps(project).replace("</", "<\\/")
    for found, changed in CHANGES.items():
        template = template.replace(found, changed)
    filled = template.replace('"MANIFEST.JSON INLINE DATA"', inline)
    return filled.replace('"CATALOG.JSON INLINE DATA"', catalog)


def main() -> int:
    target = Path(os.environ.get("DBT_TARGET_PATH", "target"))
    try:
        texts = [
            (target / name).read_text(encoding="utf-8") for name in ("index.html", "manifest.json", "catalog.json")
        ]
    except FileNotFoundError as error:
        print(f"{error.filename} does not exist: run `make docs`", file=sys.stderr)
        return 1
    site = target / "static_index.html"
    try:
        site.write_text(page(*texts), encoding="utf-8")
    except OSError as error:
        print(f"{site} could not be written: {explained(error)}", file=sys.stderr)
        return 1
    print(f"open {site.resolve()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
