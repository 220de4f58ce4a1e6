"""What `make run` runs beside the two servers, one line a process. The web is first: people wait for it."""

import sys

from .settings import Settings

WORKERS = {"inventory": 2, "orders": 2, "notifications": 2, "analytics": 1, "reports": 1, "maintenance": 1}
"""A worker for each queue, with this many processes: one consumer's trouble delays no other."""

WEB_DRAIN = 15
"""Seconds that requests in flight have after SIGTERM: PostgreSQL ends a statement of theirs after 10."""


def commands(settings: Settings) -> dict[str, list[str]]:
    """Return the table: the name of each process, and its command line."""
    python = [sys.executable]
    celery = [*python, "-m", "celery", "-q", "-A", "ordersite"]
    granian = [*python, "-m", "granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "2"]
    web = ["--respawn-failed-workers", "--respawn-interval", "1", "--workers-kill-timeout", str(WEB_DRAIN)]
    where = ["--no-ws", "--host", "127.0.0.1", "--port", str(settings.web_port)]
    return {
        "web": [*granian, *web, *where, "ordersite.wsgi:application"],
        **({"mail": [*python, "-m", "ordersite.local.mail", *mail(settings)]} if settings.mail_port else {}),
        "relay": [*python, "manage.py", "relay"],
        **{f"worker-{queue}": [*celery, *worker(queue, children)] for queue, children in WORKERS.items()},
        "beat": [*celery, "beat", "--schedule", str(settings.data_dir / "celerybeat-schedule"), "--pidfile="],
        "flower": [*celery, "flower", "--address=127.0.0.1", f"--port={settings.flower_port}"],
    }


def mail(settings: Settings) -> list[str]:
    """Return the local mail server's port, and the folder of the file that breaks it."""
    return [str(settings.mail_port), str(settings.data_dir)]


def worker(queue: str, children: int) -> list[str]:
    options = ["-Q", queue, "-n", f"{queue}@%h", "-c", str(children)]
    return ["worker", *options, "--without-gossip", "--without-mingle"]
