"""A plugin of dbt-duckdb (profiles.yml) that says in one line why dbt cannot open the database.

dbt-duckdb opens it once more while it handles the error, and dbt then prints two hundred lines of traceback.
"""

from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin

from flyer_analytics.explained import explained
from flyer_analytics.text import sql_text


class Plugin(BasePlugin):
    """Opens the database, and those that are attached, before dbt does, with the same settings."""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Raise RuntimeError, which dbt-duckdb expects here, if dbt could not open its database."""
        try:
            with duckdb.connect(creds.path, config=config) as connection:
                for name, value in (creds.settings or {}).items():
                    connection.execute(f"set {name} = {sql_text(value)}")
            for attachment in creds.attach or []:
                duckdb.connect(attachment.path, read_only=True).close()
        except duckdb.Error as error:
            raise RuntimeError(explained(error)) from error
