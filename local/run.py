"""`make run`: the two servers, the migrations, then all processes, until Ctrl-C."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType

from .banner import banner
from .errors import LocalError
from .guard import Guard
from .log import PrefixedLog, RunLog
from .processes import commands
from .servers import VARIABLES, Servers, start_servers
from .settings import (
    CHECKOUT,
    Settings,
    check_ports,
    lock,
    make_secrets,
    read_environment,
    read_settings,
    write_environment,
)
from .supervisor import Supervisor

ANSWER_SECONDS = 3.0  # time for one readiness check: it asks the broker too, and that may take 2.5 s
POLL = 0.1  # seconds between two readiness checks
WORKERS_SECONDS = 45.0  # that workers may take to say that they are ready: with LOG_LEVEL=WARNING they never do
# Celery says so in ten lines for each worker; on a machine of one's own, root is a choice.
AS_ROOT = "ignore:You're running the worker with superuser privileges"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    os.chdir(CHECKOUT)
    on_stop_signal(raise_interrupt)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            run(read_settings(os.environ))
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(settings: Settings) -> None:
    """Run everything until a KeyboardInterrupt, and raise that when all has ended."""
    held = lock(settings.data_dir)
    check_ports({"WEB_PORT": settings.web_port, "FLOWER_PORT": settings.flower_port, "GRPC_PORT": settings.grpc_port})
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # what the terminal cannot show
    terminal = PrefixedLog(sys.stdout, width=max(map(len, commands(settings))))
    file = settings.data_dir / "log"
    log = RunLog(terminal, file, verbose=bool(os.environ.get("VERBOSE")))
    log.text(f"Starting PostgreSQL, Valkey and ordersite; all that they say goes to {file}.\n")
    with contextlib.ExitStack() as on_exit:
        on_exit.callback(log.close)
        guard = Guard(holds=(held,))
        on_exit.callback(guard.close)
        missing = [variable for variable in VARIABLES if not os.environ.get(variable)]
        servers = start_servers(settings.data_dir, log=log, guard=guard, variables=missing)
        on_exit.callback(servers.stop)
        environment = make_environment(settings, servers)
        prepare(environment)
        supervisor = Supervisor(log=log, guard=guard)
        for name, argv in commands(settings).items():
            supervisor.add(name, argv, environment)
        on_exit.callback(supervisor.stop)
        on_exit.callback(on_stop_signal, supervisor.kill, servers.kill)  # a second Ctrl-C, while these stop
        supervise(supervisor, settings, log, environment)


def supervise(supervisor: Supervisor, settings: Settings, log: RunLog, environment: dict[str, str]) -> None:
    """Start all, and say when the web takes an order and workers do what follows; it never returns."""
    supervisor.start()
    workers = [name for name in supervisor.processes if name.startswith("worker")]
    deadline = time.monotonic() + WORKERS_SECONDS
    while not (is_ready(settings.web_port) and (log.are_ready(workers) or time.monotonic() > deadline)):
        time.sleep(POLL)
    tokens = environment["GRPC_SERVICE_TOKENS"]
    log.text(banner(settings, flower_auth=environment["FLOWER_BASIC_AUTH"], grpc_token=tokens.split(",")[0]))
    while True:
        signal.pause()


def make_environment(settings: Settings, servers: Servers) -> dict[str, str]:
    """Return the processes' environment; what a person needs of it goes to a file."""
    secret = make_secrets(os.environ, read_environment(settings.data_dir))
    given = {variable: os.environ[variable] for variable in VARIABLES if variable not in servers.urls}
    ours = {"EMAIL_URL": f"smtp://127.0.0.1:{settings.mail_port}"} if settings.mail_port else {}
    flower = {"FLOWER_URL": os.environ.get("FLOWER_URL") or f"http://127.0.0.1:{settings.flower_port}"}
    variables = given | servers.urls | secret | ours | flower
    write_environment(settings.data_dir, variables)
    return {
        **os.environ,
        **variables,
        "DATA_DIR": str(settings.data_dir),
        "PYTHONUNBUFFERED": "1",
        "LOG_FORMAT": os.environ.get("LOG_FORMAT", "text"),  # a person reads it
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", AS_ROOT),
        "STATIC_ROOT": str(settings.data_dir / "static"),
        "DJANGO_SETTINGS_MODULE": "ordersite.settings",
        **({"EMBEDDED": "1"} if "DATABASE_URL" in servers.urls else {}),
    }


def prepare(environment: dict[str, str]) -> None:
    """Migrate and load the demo data; LocalError where that fails, after its output."""
    result = subprocess.run(
        [sys.executable, "-m", "local.prepare"],
        env={name: value for name, value in environment.items() if name != "EMAIL_URL"},  # no mail server runs yet
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        start_new_session=True,  # Ctrl-C is ours; it then ends by our kill, without a traceback
    )
    if result.returncode:
        sys.stdout.write(result.stdout.decode(errors="replace"))
        raise LocalError("The database could not be prepared: the lines above say why")


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def on_stop_signal(*actions: Callable[[], None]) -> None:
    def handle(number: int, frame: FrameType | None) -> None:
        for action in actions:
            action()

    for number in STOP_SIGNALS:
        signal.signal(number, handle)


def raise_interrupt() -> None:
    """End what the main thread does; a second signal does not cut its clean-up short."""
    on_stop_signal()
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
