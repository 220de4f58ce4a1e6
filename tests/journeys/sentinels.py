"""Two Redises, of which one follows the other, and three Sentinels that promote it when the other is gone."""

import secrets
from pathlib import Path
from typing import Any

import redis

from local.log import Log
from local.servers import Server
from local.settings import free_port
from local.supervisor import Supervisor
from tests.journeys.redis_server import BINARY

NAME = "shop"
SILENCE = 1_000  # milliseconds after which a Sentinel takes the master for gone


class Sentinels:
    """All of them, with the passwords that each asks for."""

    def __init__(self, folder: Path, *, log: Log) -> None:
        self._folder, self._password, self._sentinels_password = folder, *(secrets.token_urlsafe(24) for _ in range(2))
        self._supervisor = Supervisor(log=log)
        self._master, self._replica = free_port(), free_port()
        first = self._add("master", self._master, self._of_redis())
        self._add("replica", self._replica, [*self._of_redis(), f"replicaof 127.0.0.1 {self._master}"])
        self._ports = [free_port() for _ in range(3)]
        for number, port in enumerate(self._ports):
            self._add(f"sentinel{number}", port, self._of_sentinel(), "--sentinel")
        self.server = Server(self._supervisor.processes[first], self._answers)

    @property
    def url(self) -> str:
        ends = ";".join(f"127.0.0.1:{port}" for port in self._ports)
        return f"sentinel://:{self._password}@{ends}/0?master_name={NAME}&sentinel_password={self._sentinels_password}"

    @property
    def password(self) -> str:
        """Of both Redises."""
        return self._password

    @property
    def addresses(self) -> list[str]:
        """Where both Redises are."""
        return [f"127.0.0.1:{port}" for port in (self._master, self._replica)]

    def start(self) -> None:
        self._supervisor.start()
        self.server.start()

    def stop_the_first(self) -> None:
        """Stop the Sentinel that the URL names first."""
        self._supervisor.processes["sentinel0"].stop(5)

    def stop(self) -> None:
        """Stop the servers, and the supervision of them."""
        self._supervisor.stop()

    def is_promoted(self) -> bool:
        """Tell whether the Sentinels lead to the one that followed."""
        return self._address() == self._replica

    def _answers(self) -> bool:
        """Tell whether the Sentinels know each other, and the replica."""
        try:
            state = self._ask("SENTINEL", "MASTER", NAME)
            return int(state["num-other-sentinels"]) == len(self._ports) - 1 and int(state["num-slaves"]) == 1
        except redis.RedisError:
            return False

    def _address(self) -> int:
        return int(self._ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def _ask(self, *command: str) -> Any:
        with redis.Redis(port=self._ports[-1], password=self._sentinels_password, decode_responses=True) as sentinel:
            return sentinel.execute_command(*command)

    def _add(self, name: str, port: int, lines: list[str], *options: str) -> str:
        folder = self._folder / name
        folder.mkdir()
        config = folder / "redis.conf"
        config.touch(mode=0o600)
        config.write_text("\n".join([f"bind 127.0.0.1\nport {port}\ndir {folder}\nloglevel warning", *lines, ""]))
        self._supervisor.add(name, [str(BINARY), str(config), *options])
        return name

    def _of_redis(self) -> list[str]:
        return [f"requirepass {self._password}", f"masterauth {self._password}", 'save ""', "appendonly no"]

    def _of_sentinel(self) -> list[str]:
        return [
            f"requirepass {self._sentinels_password}",
            f"sentinel sentinel-pass {self._sentinels_password}",
            f"sentinel monitor {NAME} 127.0.0.1 {self._master} 2",
            f"sentinel auth-pass {NAME} {self._password}",
            f"sentinel down-after-milliseconds {NAME} {SILENCE}",
            f"sentinel failover-timeout {NAME} 5000",
        ]
