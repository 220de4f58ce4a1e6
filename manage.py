#!/usr/bin/env python
"""Django's command line for ordersite."""

import os
import select
import signal
import sys

from django.core.management import execute_from_command_line

from telemetry import tracing


def main() -> None:
    """Run the management command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")
    if sys.argv[1:2] in (["relay"], ["grpc"]):
        os.environ.setdefault("PROCESS_KIND", sys.argv[1])
        tracing.set_up()
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_has_gone():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain at its exit
        sys.exit(128 + signal.SIGPIPE)  # as a shell tells it; Python ignores the signal, for the sake of servers


def _reader_has_gone() -> bool:
    """Tell whether nobody reads standard output any more, as after `... | head`."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return bool(poll.poll(0))


if __name__ == "__main__":
    main()
