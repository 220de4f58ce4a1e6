"""Publishes delivery messages to Celery's broker through one connection with short time-outs."""

import logging
from collections.abc import Sequence
from typing import Any, Protocol

from celery import Celery

from events import flower, tracing
from events.broker import broker_errors, open_connection
from events.correlation import correlated
from events.relaying.claims import Claim, Claimed

logger = logging.getLogger(__name__)

SECONDS = 1  # to connect, and for each answer
# One try: the relay has its own back-off, and a delivery that was not sent is given back. `retry=False` would not
# do: kombu then waits 6 s for a broker that refuses.
RETRY_POLICY = {"max_retries": 0}
TRANSIENT = 1  # AMQP's delivery mode: a hint need not survive, so RabbitMQ need not wait for its disk


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
        """Return the number of messages that wait in the broker's queue. Raises BrokerError, OSError."""
        producer, found = self._open(), self._app.amqp.queues[queue]
        with broker_errors(producer.connection):
            declared: Any = found(producer.channel).queue_declare()
        return int(declared.message_count)

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
        producer = self._open()
        with broker_errors(producer.connection):
            self._app.send_task(
                first.handler,
                args=[ids, tokens] if more else [ids[0], tokens[0]],
                queue=queue,
                headers=headers,
                producer=producer,
                retry=True,
                retry_policy=RETRY_POLICY,
                delivery_mode=TRANSIENT,
                **flower.message_options([delivery.id for delivery in deliveries], tries=first.tries),
            )

    def close(self) -> None:
        """Drop the connection without waiting for the broker."""
        if self._producer is not None:
            connection, self._producer = self._producer.connection, None
            connection.collect(socket_timeout=0.1)

    def _open(self) -> Any:
        if self._producer is None:
            self._producer = self._app.amqp.Producer(open_connection(self._app, SECONDS), auto_declare=False)
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
