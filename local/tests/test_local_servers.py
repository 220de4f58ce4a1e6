"""The embedded PostgreSQL and Valkey: real ones, really killed."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from local.errors import LocalError
from local.servers import Servers, start_servers


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not pytest's tmp_path: that closes its parent folder to other users whenever another pytest starts."""
    folder = Path(tempfile.mkdtemp(prefix="ordersite-test-"))
    yield folder
    shutil.rmtree(folder)


def quiet(name: str, line: str) -> None:
    """The servers' own lines say nothing about these tests."""


def keys(servers: Servers) -> int:
    with redis.Redis.from_url(servers.broker_url) as broker:
        return int(broker.dbsize())


def add_row(url: str) -> int:
    """Returns how many rows there are now."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS rows (id int)")
        connection.execute("INSERT INTO rows VALUES (1)")
        [count] = connection.execute("SELECT count(*) FROM rows").fetchone() or [0]
        return int(count)


def test_killed_servers_come_back_at_the_same_place(data_dir: Path) -> None:
    with start_servers(data_dir, log=quiet) as servers:
        assert add_row(servers.database_url) == 1
        assert keys(servers) == 0
        before = servers.postgres.pid, servers.valkey.pid
        for server in (servers.postgres, servers.valkey):
            server.kill()
            server.start()
        assert add_row(servers.database_url) == 2
        assert keys(servers) == 0
        assert not {servers.postgres.pid, servers.valkey.pid} & set(before)


def test_a_stopped_server_stays_down_until_it_is_started(data_dir: Path) -> None:
    with start_servers(data_dir, log=quiet) as servers:
        servers.postgres.stop()
        servers.valkey.stop()
        assert servers.postgres.pid is servers.valkey.pid is None
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(servers.database_url)
        servers.start()
        assert add_row(servers.database_url) == 1
        assert keys(servers) == 0


def test_data_outlives_the_servers_and_a_long_path(data_dir: Path) -> None:
    long = data_dir / ("long" * 25) / ("path" * 25)
    long.mkdir(parents=True)
    for rows in (1, 2):
        with start_servers(long, log=quiet) as servers:
            assert add_row(servers.database_url) == rows
    shutil.rmtree(servers.database_url.split("?host=")[1])


def test_valkey_wants_its_password(data_dir: Path) -> None:
    with start_servers(data_dir, log=quiet, variables=["BROKER_URL"]) as servers:
        assert servers.urls.keys() == {"BROKER_URL"}
        address = "redis://" + servers.broker_url.split("@")[1]
        with redis.Redis.from_url(address) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_data_of_another_postgresql_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").write_text("11\n")
    with pytest.raises(LocalError, match="was made by PostgreSQL 11"):
        start_servers(data_dir, log=quiet)
