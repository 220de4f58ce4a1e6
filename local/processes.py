"""What `make run` runs beside the two servers, one line a process. The web is first: people wait for it."""

import sys

from .settings import Settings

# A worker for each queue, with this many processes: one consumer's trouble delays no other.
WORKERS = {"inventory": 2, "orders": 2, "notifications": 2, "analytics": 1, "reports": 1, "maintenance": 1}


def commands(settings: Settings) -> dict[str, list[str]]:
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
        **{f"worker-{queue}": [*celery, *worker(queue, children)] for queue, children in WORKERS.items()},
        "beat": [*named("beat"), *celery, "beat", "--schedule", str(data_dir / "celerybeat-schedule"), "--pidfile="],
        "flower": [*named("flower"), *celery, *flower],
    }


def named(kind: str) -> list[str]:
    """Return the beginning of a command line that has the process's log name it so. `env` gives way to the program."""
    return ["env", f"PROCESS_KIND={kind}"]


def worker(queue: str, children: int) -> list[str]:
    options = ["-Q", queue, "-n", f"{queue}@%h", "-c", str(children)]
    return ["worker", *options, "--without-gossip", "--without-mingle"]
