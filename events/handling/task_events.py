"""The bootstep in Celery's worker that has what Flower is told leave together, and not task by task.

Celery sends what it has to tell of a task at once, three times for each: a quarter of what a worker's main process does
where few tasks share a moment, and as much in Flower. It has a buffer for it, and no setting for when that is emptied.
"""

from typing import Any

from celery import bootsteps

TOGETHER = 0.5  # seconds: so late Flower may be


class TaskEventsTogether(bootsteps.StartStopStep):
    """Sends the events of tasks twice a second, or 24 at a time, Celery's own limit."""

    requires = ("celery.worker.consumer.events:Events",)

    def start(self, consumer: Any) -> None:
        """Have this consumer's dispatcher, which it makes anew for each connection, wait a moment."""
        if consumer.hub is not None:  # without an event loop Celery sends each by itself
            consumer.event_dispatcher.on_send_buffered = _Later(consumer.hub, consumer.event_dispatcher)

    def stop(self, consumer: Any) -> None:
        """Send what is left, where there is still somebody to send it to."""
        if consumer.event_dispatcher:
            consumer.event_dispatcher.flush()

    def shutdown(self, consumer: Any) -> None:
        """Send what came while the pool ended its work: the loop, with its timers, is over by then."""
        self.stop(consumer)


class _Later:
    """Called for each event that was put into the buffer: empties it a moment after the first."""

    def __init__(self, hub: Any, dispatcher: Any) -> None:
        self._hub = hub
        self._dispatcher = dispatcher
        self._is_waiting = False

    def __call__(self) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self._hub.call_later(TOGETHER, self._send)

    def _send(self) -> None:
        self._is_waiting = False
        self._dispatcher.flush()
