"""The server of the explorer, which also serves the merchants' pages: ``make explore``.

A page is written when somebody opens it, from the published copy of that moment, as ``make report`` writes it.
"""

from datetime import date
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from streamlit.starlette import App

from flyer_analytics.explained import explained
from flyer_analytics.pages.folder import write_folder
from flyer_analytics.pages.marts import PagesError
from flyer_analytics.publish import COPY, published_path

WRITTEN = TemporaryDirectory(prefix="merchant-pages-")  # deleted when the server ends


def merchant_page(request: Request) -> Response:
    """Write the page of ``merchant`` for the dates ``from`` to ``to``, and send the browser there."""
    try:
        merchant, first, last = (request.query_params[name] for name in ("merchant", "from", "to"))
        folder = Path(WRITTEN.name, sha256(repr((merchant, first, last)).encode()).hexdigest()[:16])
        [page] = write_folder(
            published_path() / COPY, folder, merchant, date.fromisoformat(first), date.fromisoformat(last)
        )
    except (KeyError, ValueError):
        return PlainTextResponse("The address needs merchant, from and to (YYYY-MM-DD).", 400)
    except PagesError as error:
        return PlainTextResponse(str(error), 404)
    except (OSError, duckdb.Error) as error:
        return PlainTextResponse(explained(error), 500)
    return RedirectResponse(f"merchant-pages/{folder.name}/{page.name}")


app = App(
    Path(__file__).with_name("explore.py"),
    routes=[Route("/merchant-page", merchant_page), Mount("/merchant-pages", StaticFiles(directory=WRITTEN.name))],
)
