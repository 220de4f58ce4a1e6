"""A Redis as Debian packages it, with all ways in at once: a password, TLS, and TLS as a user with few rights."""

import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import redis

from local.log import Log
from local.servers import Server
from local.settings import free_port
from local.supervisor import Supervisor

BINARY = shutil.which("redis-server")
OPENSSL = shutil.which("openssl")


class RedisServer:
    """Saves nothing to disk. `user` is a line of redis.conf: `user NAME on >PASSWORD` and the user's rights."""

    def __init__(self, folder: Path, *, user: str, log: Log) -> None:
        _, self.user, _, user_password, *_ = user.split()
        self._user_password = quote(user_password.removeprefix(">"), safe="")
        self._password = secrets.token_urlsafe(24)
        self._port, self._tls_port = free_port(), free_port()
        make_certificates(folder)
        config = folder / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"bind 127.0.0.1\nport {self._port}\ntls-port {self._tls_port}\ntls-auth-clients no\n"
            f"tls-ca-cert-file {folder}/ca.crt\ntls-cert-file {folder}/server.crt\ntls-key-file {folder}/server.key\n"
            f'requirepass {self._password}\n{user}\nsave ""\nappendonly no\nloglevel warning\ndir {folder}\n'
        )
        self.ca = folder / "ca.crt"
        self._supervisor = Supervisor(log=log)
        self.server = Server(self._supervisor.add("redis", [str(BINARY), str(config)]), self._answers)

    @property
    def url(self) -> str:
        return self.url_of_user

    @property
    def url_with_password(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def url_with_tls(self) -> str:
        return f"rediss://:{self._password}@127.0.0.1:{self._tls_port}/0?ssl_ca_certs={self.ca}"

    @property
    def url_of_user(self) -> str:
        return (
            f"rediss://{self.user}:{self._user_password}@127.0.0.1:{self._tls_port}/0"
            f"?ssl_cert_reqs=required&ssl_ca_certs={self.ca}"
        )

    def ask(self, *command: str, url: str = "") -> Any:
        """Run one command: with this URL, or as the one who may do everything."""
        connection: Any = redis.Redis.from_url(url or self.url_with_password, decode_responses=True)
        with connection:
            return connection.execute_command(*command)

    def connections(self, url: str) -> int:
        """Count the connections that came in as this URL says, the asking one not among them."""
        ours = urlsplit(url)
        return sum(
            client["laddr"].endswith(f":{ours.port}")
            and client["user"] == (ours.username or "default")
            and client["cmd"] != "client|list"
            for client in self.ask("CLIENT LIST")
        )

    def stop(self) -> None:
        """Stop the server, and the supervision of it."""
        self._supervisor.stop()

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False


def make_certificates(folder: Path) -> None:
    """Make ca.crt, and server.crt, which it vouches for."""
    ca = ["-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt", "-subj", "/CN=a CA for journeys"]
    server = ["-keyout", f"{folder}/server.key", "-out", f"{folder}/server.crt", "-subj", "/CN=redis"]
    by_ca = ["-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    for arguments in (ca, [*server, *by_ca]):
        subprocess.run([str(OPENSSL), "req", "-x509", "-days", "2", *key, *arguments], check=True, capture_output=True)
