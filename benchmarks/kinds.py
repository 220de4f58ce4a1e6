"""The kinds of what is measured: ours as `make run` starts it or in part, and plain ways to do the same."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.processes import ONE_A_QUEUE, WORKERS, Worker, commands
from local.settings import Settings, free_port


@dataclass(frozen=True)
class Kind:
    """How a side is started.

    `prepare` is a module that fills an empty database, `processes` gives the command lines for a web that listens on a
    port and a folder for what they write, and `ready` are the words by which processes say that they are.
    """

    name: str
    prepare: str
    processes: Callable[[int, Path], Mapping[str, Sequence[str]]]
    ready: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)


def ordersite(**environment: str) -> Kind:
    """Return what a load needs, a worker for each queue: without beat, Flower, gRPC and a mail server."""
    return _ordersite("ordersite", ONE_A_QUEUE, without=("beat", "flower", "grpc"), environment=environment)


def everything(workers: Mapping[str, Worker] = WORKERS) -> Kind:
    """Return all that `make run` starts, so that mails are sent to its mail server."""
    mail_port = free_port()
    environment = {"EMAIL_URL": f"smtp://127.0.0.1:{mail_port}"}
    return _ordersite("everything", workers, mail_port=mail_port, environment=environment)


def _ordersite(
    name: str,
    workers: Mapping[str, Worker],
    *,
    environment: Mapping[str, str],
    without: Sequence[str] = (),
    mail_port: int = 0,
) -> Kind:
    flower_port, grpc_port = free_port(), free_port()

    def processes(port: int, folder: Path) -> dict[str, list[str]]:
        settings = Settings(
            web_port=port,
            flower_port=flower_port,
            grpc_port=grpc_port,
            mail_port=mail_port,
            data_dir=folder,
            demo_password="",
        )
        return {process: argv for process, argv in commands(settings, workers).items() if process not in without}

    secrets = {"FLOWER_BASIC_AUTH": "flower:only-to-measure", "GRPC_SERVICE_TOKENS": "only-to-measure-" + "x" * 40}
    return Kind(
        name=name,
        prepare="benchmarks.prepare_ordersite",
        processes=processes,
        ready={process: " ready." for process in processes(0, Path()) if process.startswith("worker")},
        environment={"DJANGO_SETTINGS_MODULE": "ordersite.settings", **secrets, **environment},
    )


def plain(name: str, *, enqueue: bool = True, **processes: Sequence[str]) -> Kind:
    """Return the plain design, with these processes beside its web. Without `enqueue` nothing follows from an order."""
    python = [sys.executable, "-m"]
    web = [*python, "granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "2", "--no-ws"]
    more = {key: [*python, *argv] for key, argv in processes.items()}
    return Kind(
        name=name,
        prepare="benchmarks.plain.prepare",
        processes=lambda port, _: {"web": [*web, "--port", str(port), "benchmarks.plain.wsgi:application"], **more},
        ready={"worker": " ready.", "dramatiq": "is ready for action"},
        environment={"DJANGO_SETTINGS_MODULE": "benchmarks.plain.settings", "ENQUEUE": str(int(enqueue))},
    )


EVERYTHING = everything()
ORDERSITE = ordersite()
ONE_A_MESSAGE = ordersite(EVENTS_BATCH="1")
PLAIN_VIEW = plain("plain view", enqueue=False)
PLAIN = plain("plain Celery", worker=["celery", "-A", "benchmarks.plain", "worker", "-l", "INFO"])
LEAN = plain("lean Celery", worker=["celery", "-A", "benchmarks.plain.lean", "worker", "-l", "WARNING"])
DRAMATIQ = plain("Dramatiq", dramatiq=["dramatiq", "-p", "2", "-t", "8", "benchmarks.plain.actors"])
