"""What `make run` runs beside the two servers, one line a process. The web is first: people wait for it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from .settings import Settings


@dataclass(frozen=True)
class Worker:
    """A worker of these queues, with so many processes."""

    queues: tuple[str, ...]
    processes: int


# One machine has two workers: an idle process takes memory and wakes up all the same. What waits for others (mail
# servers, a long report) has one of its own, so that it delays no stock.
WORKERS = {
    "shop": Worker(("inventory", "orders", "analytics"), 2),
    "outside": Worker(("notifications", "reports", "maintenance"), 3),
}
# In production, and in tests, each queue has a worker: no consumer's trouble delays another (docker-compose.yml).
PROCESSES = {"inventory": 2, "orders": 2, "notifications": 2, "analytics": 1, "reports": 1, "maintenance": 1}
ONE_A_QUEUE = {queue: Worker((queue,), processes) for queue, processes in PROCESSES.items()}


def commands(settings: Settings, workers: Mapping[str, Worker] = WORKERS) -> dict[str, list[str]]:
    python, data_dir = sys.executable, settings.data_dir
    celery = [python, "-m", "celery", "-q", "-A", "ordersite"]
    mail = [python, "-m", "local.mail", str(settings.mail_port), str(data_dir)]
    # Flower keeps its tasks in a file, every 30 s and at its end.
    kept = ["--persistent=True", f"--db={data_dir / 'flower'}", "--state_save_interval=30000"]
    flower = ["flower", "--address=127.0.0.1", f"--port={settings.flower_port}", *kept]
    return {
        "web": [*named("web"), python, "-m", "web", "--port", str(settings.web_port)],
        **({"mail": mail} if settings.mail_port else {}),
        "grpc": [python, "manage.py", "grpc", "--port", str(settings.grpc_port)],
        "relay": [python, "manage.py", "relay"],
        **{f"worker-{name}": [*celery, *options(worker)] for name, worker in workers.items()},
        "beat": [*named("beat"), *celery, "beat", "--schedule", str(data_dir / "celerybeat-schedule"), "--pidfile="],
        "flower": [*named("flower"), *celery, *flower],
    }


def named(kind: str) -> list[str]:
    """Return the beginning of a command line that has the process's log name it so. `env` gives way to the program."""
    return ["env", f"PROCESS_KIND={kind}"]


def options(worker: Worker) -> list[str]:
    # Its name is a queue's: what it has in Redis begins with it, and a user of few rights may touch (docs/redis.md).
    queues = ["-Q", ",".join(worker.queues), "-n", f"{worker.queues[0]}@%h", "-c", str(worker.processes)]
    return ["worker", *queues, "--without-gossip", "--without-mingle"]
