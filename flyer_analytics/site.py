"""Write the documentation site as one file: ``python -m flyer_analytics.site``, after ``dbt docs generate``.

dbt's own page opens with a lineage of everything, tests included, in letters too small to read. It also truncates
names and descriptions, is too wide for a phone, and requests icons that do not exist. No setting changes that, so this
command changes the page.
"""

import json
import os
import sys
from pathlib import Path

from flyer_analytics.explained import explained

STYLE = """<style>
.detail-body { white-space: normal !important }
@media (min-width: 701px) {
    .column-row td { white-space: normal !important; max-width: none !important }
    .column-row td:nth-child(3) { width: 50% }
}
@media (max-width: 700px) {
    .app { min-width: 0 !important }
    .app-menu { display: none !important }
    .app-frame, .panel-body { padding-left: 12px !important; padding-right: 12px !important }
    .panel-body { overflow-x: auto }
    h1, td a, .markdown { overflow-wrap: anywhere }
}
</style></head>"""

# What the lineage shows until a reader selects: the path from events to those who use the marts.
SELECT, EXCLUDE = "+exposure:*", "tag:helper"
# Parts of dbt's page, whose JavaScript is minified, and what replaces them.
REPLACED = {
    # the default selection: of the URL, of the lineage, and of the boxes below it
    'include:e.g_i||"",exclude:e.g_e||""': f'include:e.g_i||"{SELECT}",exclude:e.g_i?e.g_e||"":"{EXCLUDE}"',
    't.include="",t.exclude=""': f't.include="{SELECT}",t.exclude="{EXCLUDE}"',
    ')?"+"+e.name:""},i=r.assign(': f')?"+"+e.name:"{SELECT}",exclude:e?"":"{EXCLUDE}"}},i=r.assign(',
    # from top to bottom: long names take little height, so the letters are twice as large
    'rankDir:"LR",rankSep:200': 'rankDir:"TB",rankSep:60',
    '"source-endpoint":"50% 0%","target-endpoint":"270deg"': '"source-endpoint":"0% 50%","target-endpoint":"0deg"',
    'edge.horizontal",style:{"curve-style":"unbundled-bezier"': 'edge.horizontal",style:{"curve-style":"bezier"',
    ".fit(100)": ".fit(30)",
    # contrast: of the lines with the background, #005e7a, and of the names of private models with lines behind them
    "#006f8a": "#6fb5c9",
    '"background-opacity":.2': '"background-opacity":1',
    '"font-weight":300': '"font-weight":400',
    # icons whose names are requested before, or without, being filled in
    '<use xlink:href="{{': '<use ng-attr-xlink:href="{{',
    "${require('./assets/favicons/favicon.ico')}": "data:,",
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
    for part, replacement in REPLACED.items():
        template = template.replace(part, replacement)
    filled = template.replace('"MANIFEST.JSON INLINE DATA"', inline)
    return filled.replace('"CATALOG.JSON INLINE DATA"', catalog).replace("</head>", STYLE, 1)


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
