"""Superset on this machine, on the published copy: ``make superset``. Ctrl-C stops it.

All that Superset writes is in SUPERSET_HOME, by default bi/superset/home. Its page is on PORT, by default 8088. These
settings are for one person on one machine; README.md says what production needs.
"""

import os
import secrets
import signal
import socket
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bi.superset.bundle import contents
from flyer_analytics.publish import COPY, published_path

if TYPE_CHECKING:
    from flask import Flask

HERE = Path(__file__).resolve().parent


class StartError(Exception):
    """Superset cannot start. The text says why, and what to do."""


def listen(port: str) -> socket.socket:
    """Return a socket that only this machine can reach. Raises StartError if the port cannot be had."""
    try:
        return socket.create_server(("127.0.0.1", int(port)))
    except (OSError, OverflowError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a port"
        raise StartError(f"Port {port}: {reason}. Name another one: make superset PORT=8089") from error


def copy_to_read() -> Path:
    """Return the published DuckDB file. Raises StartError if there is none."""
    copy = (published_path() / COPY).resolve()
    if not copy.exists():
        raise StartError(f"{copy} does not exist. Run `make build`, which publishes the marts.")
    return copy


def prepare(home: Path) -> None:
    """Create Superset's folder, with a key of its own, which signs sessions. Only its owner can read them."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = home / "secret_key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(42), encoding="utf-8")
    os.environ |= {"SUPERSET_HOME": str(home), "SUPERSET_CONFIG_PATH": str(HERE / "superset_config.py")}


def create() -> "Flask":
    """Return the application, its database created or brought to this version of Superset."""
    from flask_appbuilder import Model
    from flask_migrate import stamp, upgrade
    from sqlalchemy import inspect
    from superset import appbuilder, db, security_manager
    from superset.app import create_app

    app: Flask = create_app()
    with app.app_context():
        if inspect(db.engine).has_table("alembic_version"):
            upgrade()
        else:
            # The tables to which 350 migrations lead, which take 4 to 14 seconds.
            Model.metadata.create_all(db.engine)
            stamp()
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
    return app


def password(app: "Flask", is_new: bool) -> str | None:
    """Return the password of user admin if it is drawn now: at first, and if a new one is wanted."""
    from superset import security_manager

    drawn = secrets.token_urlsafe(12)
    with app.app_context():
        if admin := security_manager.find_user(username="admin"):
            if is_new:
                security_manager.reset_password(admin.id, drawn)
            return drawn if is_new else None
        role = security_manager.find_role("Admin")
        security_manager.add_user("admin", "Flyer", "Admin", "admin@localhost", role, drawn)
        return drawn


def import_dashboards(app: "Flask", copy: Path) -> None:
    """Bring databases, datasets, charts and dashboards of the export to what the files say."""
    from superset import security_manager
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.utils.core import override_user

    files = contents(f"duckdb:///{copy}?access_mode=read_only")
    # Of a bundle of dashboards, Superset would leave charts and datasets that exist as they are.
    files["metadata.yaml"] = files["metadata.yaml"].replace("type: Dashboard", "type: assets")
    with app.app_context(), override_user(security_manager.find_user(username="admin")):
        ImportAssetsCommand(files).run()


def serve(listening: socket.socket, copy: Path) -> None:
    """Serve the dashboards until interrupted."""
    from werkzeug.serving import make_server

    app = create()
    drawn = password(app, is_new=bool(os.environ.get("NEW_PASSWORD")))
    import_dashboards(app, copy)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    if drawn:
        say(f"Superset: {address}, user admin, password {drawn}")
        say("The password is not shown again. Another one: make superset NEW_PASSWORD=1")
    else:
        say(f"Superset: {address}, user admin. Password forgotten: make superset NEW_PASSWORD=1")
    say("Ctrl-C stops it. It reads the published marts, also during builds and after them.")
    make_server("127.0.0.1", 0, app, threaded=True, fd=listening.fileno()).serve_forever()


def say(text: str) -> None:
    print(text, file=sys.__stdout__, flush=True)


def main() -> int:
    """Start Superset. Returns an exit status."""
    for interruption in (signal.SIGINT, signal.SIGTERM):
        signal.signal(interruption, signal.default_int_handler)
    home = Path(os.environ.get("SUPERSET_HOME") or HERE / "home").resolve()
    try:
        copy = copy_to_read()
        listening = listen(os.environ.get("PORT") or "8088")
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    prepare(home)
    log = home / "superset.log"
    with log.open("w", encoding="utf-8") as output, redirect_stdout(output), redirect_stderr(output):
        try:
            with suppress(KeyboardInterrupt):
                serve(listening, copy)
        except Exception:
            traceback.print_exc()
            print(f"Superset has stopped: {log} says why", file=sys.__stderr__)
            return 1
    print("Superset has stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
