"""Health checks for a supervisor: `python deploy/healthy.py worker` ends with 0 where that process does its work.

Each kind of process is asked for something that only one at work can give: web, grpc, relay, worker, beat, flower. They
load no Django: they run every few seconds. They read DATABASE_URL and BROKER_URL (or a file that NAME_FILE names),
WEB_PORT, FLOWER_PORT, and GRPC_PORT with the tokens and the certificate of gRPC. `worker` takes a name where several
run on one machine: `worker inventory`, for `celery worker -n inventory@%h`.
"""

import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 5  # for each answer
RELAY_SILENCE = 10  # seconds; at rest it asks PostgreSQL ten times a second


def setting(name: str) -> str:
    """Return a setting, or the content of the file that NAME_FILE names."""
    file = os.environ.get(f"{name}_FILE")
    return Path(file).read_text().strip() if file else os.environ[name]


def answers(url: str) -> bool:
    """Say whether a GET is answered, and with no error. Raises what the answer says is wrong."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS):  # noqa: S310 - always http
            return True
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.load(error)["detail"]) from error


def web() -> bool:
    """The API answers, and its database takes writes."""
    return answers(f"http://127.0.0.1:{os.environ.get('WEB_PORT') or 8000}/health/ready")


def flower() -> bool:
    return answers(f"http://127.0.0.1:{os.environ.get('FLOWER_PORT') or 5555}/healthcheck")


def grpc() -> bool:
    """The gRPC server serves, and reaches the database."""
    import grpc as library
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
    from grpc_health.v1.health_pb2_grpc import HealthStub

    where = f"localhost:{os.environ.get('GRPC_PORT') or 50051}"
    certificate = os.environ.get("GRPC_TLS_CERTIFICATE")
    if certificate:  # it may be signed by the authority that another service's is, or stand for itself
        files = [certificate, *filter(None, [os.environ.get("USERS_GRPC_CA")])]
        believed = library.ssl_channel_credentials(b"\n".join(Path(file).read_bytes() for file in files))
        channel = library.secure_channel(where, believed)
    else:
        channel = library.insecure_channel(where)
    with channel:
        bearer = (("authorization", f"Bearer {setting('GRPC_SERVICE_TOKENS').split(',')[0].strip()}"),)
        check = HealthStub(channel).Check  # type: ignore[attr-defined]  # its types lack what its maker adds
        answer = check(HealthCheckRequest(), timeout=SECONDS, metadata=bearer)
    return bool(answer.status == HealthCheckResponse.SERVING)


def worker(name: str = "*") -> bool:
    """The worker of this machine answers a question that came by the broker, and consumes a queue."""
    return any((ask(name).active_queues() or {}).values())


def ask(name: str) -> Any:
    """Return Celery's `inspect`, which asks the process of this name on this machine, by the broker."""
    from celery import Celery

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from events.broker_url import read_broker_url

    broker = read_broker_url(setting("BROKER_URL"))
    app = Celery(broker=broker.url, broker_use_ssl=broker.tls, set_as_current=False)
    of_redis = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}
    of_rabbitmq = {"connect_timeout": SECONDS, "read_timeout": SECONDS, "write_timeout": SECONDS}
    app.conf.broker_transport_options = of_redis | of_rabbitmq | broker.options
    mine: dict[str, Any] = {"pattern": f"{name}@{socket.gethostname()}", "matcher": "glob"}
    return app.control.inspect(**mine, limit=1, timeout=SECONDS)


def relay() -> bool:
    """PostgreSQL has just been asked by a relay of this machine."""
    import psycopg

    asked = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'ordersite relay'"
        " AND client_addr IS NOT DISTINCT FROM inet_client_addr()"  # null: by a unix socket
        " AND abs(extract(epoch FROM clock_timestamp() - state_change)) < %s"
    )
    with psycopg.connect(setting("DATABASE_URL"), connect_timeout=SECONDS) as connection:
        return bool(connection.execute(asked, [RELAY_SILENCE]).fetchone())


def beat() -> bool:
    """The beat of this machine answers a question that came by the broker, and looks at its schedule."""
    return bool(ask("celerybeat").ping())


CHECKS: dict[str, Callable[..., bool]] = {check.__name__: check for check in (web, grpc, flower, worker, relay, beat)}


def main(process: str, *name: str) -> int:
    """Return the exit status; what is wrong is one line of `docker inspect`, not a stack trace."""
    try:
        return 0 if CHECKS[process](*name) else 1
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not healthy
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
