"""manage.py grpc: answers gRPC calls until it is told to stop. Any number may run, each on a port of its own."""

import asyncio
import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from prometheus_client import start_http_server

from rpc.call_log import registry
from rpc.server import CannotServe, Options, serve

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Answer gRPC calls. SIGTERM or Ctrl-C ends it, once the calls under way are answered."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=settings.GRPC_PORT)

    def handle(self, *args: Any, **given: Any) -> None:
        if settings.GRPC_METRICS_PORT:
            address, port = settings.GRPC["address"], settings.GRPC_METRICS_PORT
            try:
                start_http_server(port, address, registry)
            except OSError as error:
                told = f"{address}:{port} cannot be had for metrics ({error.strerror})"
                raise CommandError(f"{told}: choose another GRPC_METRICS_PORT.") from error
        try:
            asyncio.run(self._serve(given["port"]))
        except CannotServe as error:
            raise CommandError(str(error)) from error

    async def _serve(self, port: int) -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await serve(
            Options(port=port, **settings.GRPC),
            started=lambda port: logger.info("grpc: ready on port %d", port),
            stopped=stopped,
        )
