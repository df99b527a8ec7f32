"""How production's target connects."""

import socket
from typing import Any

import pytest
import redshift_connector

from python_tests.conftest import RedshiftProject


def test_a_statement_may_take_long(redshift: RedshiftProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver applies the timeout of connecting to each read, so there is none; the shortest stands for all here."""
    connections: list[Any] = []
    connect = redshift_connector.connect

    def connect_impatiently(**arguments: Any) -> Any:
        connections.append(connect(**arguments | {"timeout": arguments["timeout"] and 1}))
        return connections[-1]

    monkeypatch.setattr(redshift_connector, "connect", connect_impatiently)
    redshift.dbt("show", "--inline", "select pg_sleep(1.5)")
    assert connections


def test_a_connection_without_traffic_stays_open(redshift: RedshiftProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's load balancers and endpoints forget a connection of which they see nothing for 350 seconds."""
    idle: list[int] = []
    connect = redshift_connector.connect

    def connect_and_look(**arguments: Any) -> Any:
        connection = connect(**arguments)
        assert connection._usock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle.append(connection._usock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE))
        return connection

    monkeypatch.setattr(redshift_connector, "connect", connect_and_look)
    redshift.dbt("show", "--inline", "select 1 as one")
    assert idle
    assert max(idle) < 350
