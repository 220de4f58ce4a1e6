"""A PgBouncer as Debian packages it, that pools transactions as docs/pgbouncer.md has it."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from local.postgres import binary
from local.servers import Server
from local.settings import CHECKOUT, free_port
from local.supervisor import Supervisor
from local.system_user import postgres_user

BINARY = shutil.which("pgbouncer") or (Path("/usr/sbin/pgbouncer").exists() and "/usr/sbin/pgbouncer")
MISSING = "pgbouncer is not installed: apt-get install pgbouncer"
PAGE = CHECKOUT / "docs" / "pgbouncer.md"
APP_ROLE = CHECKOUT / "deploy" / "docker" / "app_role.sql"


def blocks(language: str) -> list[str]:
    """Return the page's blocks of code in this language."""
    return [block.partition("```")[0] for block in PAGE.read_text().split(f"```{language}\n")[1:]]


class PgBouncer:
    """Between the processes and a database, with a role for each kind of process, made as the page says."""

    def __init__(self, folder: Path, database_url: str, supervisor: Supervisor) -> None:
        self._port, self._password = free_port(), secrets.token_urlsafe(24)
        folder.mkdir()
        url = urlsplit(database_url)
        self.database = url.path[1:]
        _make_app_role(folder, database_url)
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
        self.server = Server(supervisor.add("pgbouncer", argv), self._answers)

    def url(self, role: str) -> str:
        """Return the DATABASE_URL of a kind of process: web, grpc, relay or worker."""
        return f"postgres://ordersite_{role}:{self._password}@127.0.0.1:{self._port}/{self.database}"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("web"), connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True


def _make_app_role(folder: Path, database_url: str) -> None:
    """Make the role of the processes, as containers do; the embedded superuser owns the tables."""
    password = folder / "app-password"
    password.write_text(secrets.token_urlsafe(24))
    subprocess.run(
        [binary("psql"), "-v", "ON_ERROR_STOP=1", "-q", "-d", database_url, "-f", str(APP_ROLE)],
        env=os.environ | {"APP_PASSWORD_FILE": str(password)},
        check=True,
        capture_output=True,
    )
