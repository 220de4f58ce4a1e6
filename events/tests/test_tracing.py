"""The context of a trace goes with each event. Whole traces are looked at in tests/journeys/test_traces.py."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from events import tracing
from events.correlation import correlated
from events.handlers import ReceivedEvent
from events.handling import runner
from events.models import Delivery, Event
from events.publishing import publish
from events.relaying import claims
from events.tests.helpers import SORT, handler, published, run, tokens
from events.tests.parcels import ParcelSortedV1, parcel_packed

HERE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
THERE = "00-1af7651916cd43dd8448eb211c80319c-a7ad6b7169203331-01"
of_database = pytest.mark.django_db(transaction=True)


def contexts(event_type: str) -> list[str]:
    return list(Event.objects.filter(type=event_type).order_by("id").values_list("traceparent", flat=True))


@of_database
def test_an_event_keeps_the_context_in_which_it_was_published() -> None:
    published(parcel_packed())
    with tracing.under(HERE):
        published(parcel_packed())
    assert contexts("parcel.packed.v1") == ["", HERE]
    assert tracing.current() == ""


@of_database
def test_what_is_claimed_and_what_a_handler_receives_have_it() -> None:
    with tracing.under(HERE):
        published(parcel_packed())
    claim = claims.claim("letters", 1)
    assert claim is not None
    assert claim.deliveries[0].traceparent == HERE
    seen: list[str] = []
    run(handler(lambda event: seen.extend([event.traceparent, tracing.current()])))
    assert seen == [HERE, HERE]


@of_database
def test_what_a_batch_publishes_goes_on_in_the_trace_that_each_came_from() -> None:
    parcels = {context: parcel_packed() for context in (HERE, THERE, "")}
    for context, parcel in parcels.items():
        with correlated("r", context):
            published(parcel)
    sent = tokens(claims.claim("sorting", 3))

    def follow(events: Sequence[ReceivedEvent[Any]]) -> None:
        publish(*(ParcelSortedV1(parcel_id=e.subject) for e in events), causes={e.subject: e for e in events})

    assert runner.run(handler(follow, many=True), sent, worker="test") == "3 of 3 done"
    for context, parcel in parcels.items():
        assert Event.objects.get(type="parcel.sorted.v1", subject=parcel.parcel_id).traceparent == context


@of_database
def test_of_a_batch_only_the_span_of_what_failed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    parcels = [parcel_packed(), parcel_packed()]
    with tracing.under(HERE):
        published(*parcels)

    def stumble_at_the_first(event: ReceivedEvent[Any]) -> None:
        if event.subject == parcels[0].parcel_id:
            raise ValueError("no luck")

    told = runner.run(handler(stumble_at_the_first), tokens(claims.claim("sorting", 2)), worker="test")
    assert told == "1 of 2 done, 1 go on one by one"
    failed = {
        span.attributes["messaging.message.id"]: span.attributes.get("error.type", "")
        for span in exporter.get_finished_spans()
        if span.attributes
    }
    by_subject = {str(one.id): one.subject for one in Delivery.objects.filter(handler=SORT)}
    assert {by_subject[str(delivery_id)]: kind for delivery_id, kind in failed.items()} == {
        parcels[0].parcel_id: "builtins.ValueError",
        parcels[1].parcel_id: "",
    }


@of_database
def test_without_a_context_there_is_no_span() -> None:
    published(parcel_packed())
    claim = claims.claim("sorting", 1)
    assert claim is not None
    span = tracing.begin(tracing.SEND, SORT, claim.deliveries[0])
    assert (span.is_recording(), tracing.context_of(span)) == (False, "")


@pytest.mark.parametrize("text", ["nonsense", "00-0-0-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_what_is_no_context_is_none(text: str) -> None:
    with tracing.under(text):
        assert tracing.current() == ""


def test_the_bus_needs_no_sdk() -> None:
    program = "import sys, events.tracing; sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
