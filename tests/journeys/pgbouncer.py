"""A PgBouncer as Debian packages it, that pools transactions as docs/pgbouncer.md has it."""

import secrets
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from local.log import Log
from local.servers import Server
from local.settings import CHECKOUT, free_port
from local.supervisor import Supervisor
from local.system_user import postgres_user

BINARY = shutil.which("pgbouncer") or (Path("/usr/sbin/pgbouncer").exists() and "/usr/sbin/pgbouncer")
MISSING = "pgbouncer is not installed: apt-get install pgbouncer"
PAGE = CHECKOUT / "docs" / "pgbouncer.md"


def blocks(language: str) -> list[str]:
    """Return the page's blocks of code in this language."""
    return [block.partition("```")[0] for block in PAGE.read_text().split(f"```{language}\n")[1:]]


class PgBouncer:
    """Between the processes and a database, with a role for each kind of process, made as the page says."""

    def __init__(self, folder: Path, database_url: str, *, log: Log) -> None:
        self._port, self._password = free_port(), secrets.token_urlsafe(24)
        folder.mkdir()
        url = urlsplit(database_url)
        self.database = url.path[1:]
        with psycopg.connect(database_url, autocommit=True) as connection:
            for statement in blocks("sql")[0].replace("'PASSWORD'", f"'{self._password}'").split(";"):
                connection.execute(statement)
        (ini,) = blocks("ini")
        target = f"host={parse_qs(url.query)['host'][0]} port={url.port} dbname={self.database}"
        config, users = folder / "pgbouncer.ini", folder / "users"
        for file in (config, users):
            file.touch(mode=0o600)
        users.write_text(
            "".join(f'"ordersite_{role}" "{self._password}"\n' for role in ("web", "grpc", "relay", "worker"))
        )
        config.write_text(
            ini.replace("host=HOST port=5432 dbname=ordersite", target)
            .replace("listen_port = 6432", f"listen_port = {self._port}")
            .replace("/etc/pgbouncer/users", str(users))
            .replace("listen_addr = 0.0.0.0", "listen_addr = 127.0.0.1")
        )
        argv = [str(BINARY), str(config)]
        if user := postgres_user():  # it refuses to run as root
            for file in (folder, config, users):
                shutil.chown(file, user)
            argv[1:1] = ["-u", user]
        self._supervisor = Supervisor(log=log)
        self.server = Server(self._supervisor.add("pgbouncer", argv), self._answers)

    def url(self, role: str) -> str:
        """Return the DATABASE_URL of a kind of process: web, grpc, relay or worker."""
        return f"postgres://ordersite_{role}:{self._password}@127.0.0.1:{self._port}/{self.database}"

    def stop(self) -> None:
        self._supervisor.stop()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("web"), connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True
