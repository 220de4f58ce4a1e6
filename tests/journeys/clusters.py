"""Further PostgreSQL servers, such as one that follows the embedded one."""

import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg

from local.postgres import NAME, PORT, SETTINGS, binary
from local.process import Command, become
from local.servers import Server
from local.supervisor import Supervisor
from local.system_user import own, postgres_user


class Cluster:
    """A PostgreSQL beside the embedded one, in a folder of its own, with its socket beside its data."""

    def __init__(self, folder: Path, supervisor: Supervisor) -> None:
        self._user, self._folder = postgres_user(), folder
        folder.mkdir(mode=0o700)
        own(folder, self._user)
        self.data = folder / "data"
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        argv = [binary("postgres"), "-D", str(self.data), "-k", str(folder), "-p", PORT, *settings]
        process = supervisor.add_command(Command(folder.name, argv, None, signal.SIGINT, self._user))
        self.server = Server(process, self._answers)

    @property
    def url(self) -> str:
        return f"postgresql://{NAME}@:{PORT}/{NAME}?host={quote(str(self._folder))}"

    @property
    def socket(self) -> Path:
        return self._folder

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True


class Standby(Cluster):
    """A copy of the primary that follows it."""

    def __init__(self, folder: Path, primary_url: str, supervisor: Supervisor) -> None:
        super().__init__(folder, supervisor)
        self._primary_url = primary_url
        self._run("pg_basebackup", "-d", primary_url, "-D", str(self.data), "-R", "-X", "stream", "-c", "fast")

    def promote(self) -> None:
        self._run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def follows(self) -> bool:
        """Tell whether the primary waits for it at each commit."""
        with psycopg.connect(self._primary_url) as connection:
            rows = connection.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchall()
        return bool(rows)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([binary(program), *arguments], cwd="/", check=True, capture_output=True, **become(self._user))
