"""A RabbitMQ as Debian packages it, with a user who may do what docs/brokers.md lists."""

import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.log import Log
from local.servers import Server
from local.settings import free_port
from local.supervisor import Supervisor

SCRIPTS = Path("/usr/lib/rabbitmq/bin")  # not those on PATH: they insist on a user of their own
EPMD = shutil.which("epmd")
IS_THERE = (SCRIPTS / "rabbitmq-server").exists() and bool(EPMD)
MISSING = "rabbitmq-server is not installed: apt-get install rabbitmq-server"


class RabbitServer:
    """A node of its own, with all of its files in the folder and all of its ports chosen."""

    def __init__(self, folder: Path, *, queue_type: str = "classic", log: Log) -> None:
        self._queue_type = queue_type
        self._port, self._password = free_port(), secrets.token_urlsafe(24)
        self._pid_file = folder / "pid"
        config = folder / "rabbitmq.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self._port}\ndefault_user = ordersite\ndefault_pass = {self._password}\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
        )
        (folder / "enabled_plugins").write_text("[].\n")
        epmd_port = str(free_port())
        self._environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),  # where the nodes' shared cookie is
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": epmd_port,
            "RABBITMQ_NODENAME": f"ordersite{self._port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self._pid_file),
        }
        self._supervisor = Supervisor(log=log)
        # Erlang would start one by itself, which would live on.
        self._names = self._supervisor.add("epmd", [str(EPMD), "-port", epmd_port, "-address", "127.0.0.1"])
        process = self._supervisor.add("rabbitmq", [str(SCRIPTS / "rabbitmq-server")], self._environment)
        self.server = Server(process, self._answers)

    @property
    def url(self) -> str:
        return f"amqp://ordersite:{self._password}@127.0.0.1:{self._port}/?queue_type={self._queue_type}"

    @property
    def pid(self) -> int:
        """The process id of the node itself, which a script started."""
        return int(self._pid_file.read_text())

    def start(self) -> None:
        self._names.start()
        self.server.start()

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl, and return what it prints."""
        done = subprocess.run(
            [str(SCRIPTS / "rabbitmqctl"), "-q", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self) -> None:
        """Stop the server, and the supervision of it."""
        self._supervisor.stop()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(1))  # it begins the handshake, so it serves
        except OSError:
            return False


@contextmanager
def run_rabbitmq(queue_type: str = "classic") -> Iterator[RabbitServer]:
    """Run a server until the block ends."""
    with tempfile.TemporaryDirectory(prefix="ordersite-rabbitmq-") as folder, Path(folder, "log").open("w") as log:
        server = RabbitServer(Path(folder), queue_type=queue_type, log=lambda _, line: print(line, file=log))
        try:
            server.start()
            yield server
        finally:
            server.stop()
