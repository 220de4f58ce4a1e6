"""Publishes delivery messages to Celery's broker through one connection with short time-outs."""

import logging
from collections.abc import Sequence
from typing import Any, Protocol

from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError as BrokerError

from events import flower, tracing
from events.correlation import correlated
from events.relaying.claims import Claim, Claimed

logger = logging.getLogger(__name__)

# Seconds. With Celery's defaults a publish to a frozen Redis hangs for over 40 s; with these it fails after one.
TRANSPORT = {"socket_timeout": 1, "socket_connect_timeout": 1, "socket_keepalive": True, "health_check_interval": 10}
# One try: the relay has its own back-off, and a delivery that was not sent is given back. `retry=False` would not
# do: kombu then waits 6 s for a broker that refuses.
RETRY_POLICY = {"max_retries": 0}


class Sends(Protocol):
    """What a relay hands its deliveries to: Sender, or who runs them here and now (manage.py load_demo)."""

    def length(self, queue: str) -> int:
        """Return the number of messages that wait already."""

    def send(self, claim: Claim, deliveries: Sequence[Claimed]) -> None:
        """Hand on the message of these deliveries, all of one handler."""

    def close(self) -> None:
        """Let go of what is open."""


class Sender:
    """One connection to the broker, opened at the first use and again after close()."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._producer: Any = None  # kombu's types know nothing of virtual channels

    def length(self, queue: str) -> int:
        """Return the number of messages that wait in the broker's list. Raises BrokerError, OSError."""
        connection = self._open().connection
        try:
            return int(self._open().channel.queue_declare(queue=queue).message_count)
        except (*connection.recoverable_connection_errors, *connection.recoverable_channel_errors) as error:
            raise BrokerError(str(error)) from error  # as kombu does by itself where it publishes

    def send(self, claim: Claim, deliveries: Sequence[Claimed]) -> None:
        """Send the message of these deliveries, all of one handler. Raises BrokerError, OSError.

        Whether a task's result is kept is declared with the handler, which the worker has and the relay need not.
        """
        spans = [tracing.begin(tracing.SEND, delivery.handler, delivery) for delivery in deliveries]
        with tracing.ended(*spans):
            self._publish(claim.queue, deliveries, [tracing.context_of(span) for span in spans])
        _log_sent(deliveries)

    def _publish(self, queue: str, deliveries: Sequence[Claimed], traceparents: Sequence[str]) -> None:
        first, *more = deliveries
        ids, tokens = [str(delivery.id) for delivery in deliveries], [str(delivery.token) for delivery in deliveries]
        headers: dict[str, Any] = {"request_id": "batch" if more else first.correlation_id}
        if any(traceparents):
            headers["traceparent"] = traceparents if more else traceparents[0]
        self._app.send_task(
            first.handler,
            args=[ids, tokens] if more else [ids[0], tokens[0]],
            queue=queue,
            headers=headers,
            producer=self._open(),
            retry=True,
            retry_policy=RETRY_POLICY,
            **flower.message_options([delivery.id for delivery in deliveries], tries=first.tries),
        )

    def close(self) -> None:
        """Drop the connection without waiting for the broker."""
        if self._producer is not None:
            connection, self._producer = self._producer.connection, None
            connection.collect(socket_timeout=0.1)

    def _open(self) -> Any:
        if self._producer is None:
            connection: Connection = self._app.connection_for_write(transport_options=TRANSPORT)
            connection.ensure_connection(max_retries=1, timeout=1, interval_start=0)
            self._producer = self._app.amqp.Producer(connection, auto_declare=False)
        return self._producer


def _log_sent(deliveries: Sequence[Claimed]) -> None:
    """Log that a message was sent: one line, whatever it carries. That of a batch names the requests of all."""
    first, *more = deliveries
    if not more:
        fields = {"handler": first.handler, "delivery": first.id, "attempt": first.tries + 1}
        with correlated(first.correlation_id, first.traceparent):
            logger.info("%s %s: sent", first.handler, first.id, extra=fields)
        return
    requests = sorted({delivery.correlation_id for delivery in deliveries})
    fields = {"handler": first.handler, "batch": len(deliveries), "request_ids": requests}
    logger.info("%s: %d sent as one", first.handler, len(deliveries), extra=fields)
