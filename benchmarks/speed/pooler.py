"""PgBouncer, pooling transactions, in front of PostgreSQL; where it is installed."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from benchmarks.speed.rounds import NotHere
from benchmarks.speed.side import Place
from local.process import become
from local.settings import free_port
from local.system_user import own, postgres_user

CONNECTIONS = 20
"""To PostgreSQL, for all processes together; without it there are about 15 that are used and 5 that are idle."""

START_SECONDS = 10.0

INI = """
[databases]
* = host={host} port={port} user={user} {password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 500
ignore_startup_parameters = extra_float_digits,options
"""
"""It passes no `options` on: the time-outs that settings.py sets there are set on the roles (docs/deploying.md)."""


@contextmanager
def pooler(place: Place) -> Iterator[str]:
    """Run it until the block ends; give the URL that takes the place of PostgreSQL's, for any database of its."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        raise NotHere("no pgbouncer here: a package of most systems")
    folder = place.folder / "pgbouncer"
    folder.mkdir(exist_ok=True)
    listen = free_port()
    config = folder / "pgbouncer.ini"
    config.write_text(_ini(place.database_url, listen))
    user = postgres_user()
    own(folder, user)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, str(config)], stdout=log, stderr=log, cwd="/", **become(user))
    try:
        url = f"postgres://ordersite@127.0.0.1:{listen}"
        _wait(f"{url}/postgres", folder / "log")
        yield url
    finally:
        process.terminate()
        process.wait()


def _ini(database_url: str, listen: int) -> str:
    url = urlsplit(database_url)
    host = parse_qs(url.query).get("host", [url.hostname or "127.0.0.1"])[0]
    password = f"password={url.password}" if url.password else ""
    return INI.format(
        host=host,
        port=url.port or 5432,
        user=url.username or "ordersite",
        password=password,
        listen=listen,
        connections=CONNECTIONS,
    )


def _wait(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with psycopg.connect(url):
                return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise NotHere(f"pgbouncer does not start: {error}; {log.read_text()[-500:]}") from error
            time.sleep(0.1)
