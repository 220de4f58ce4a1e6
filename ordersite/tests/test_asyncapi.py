"""The document on the events tells of what there is, its examples are events, and its breaks are found."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from events.asyncapi.document import document, message_of
from events.asyncapi.schemas import schema_of, types
from events.models import Event
from events.subscriptions import the_map
from events.tests.helpers import published
from events.types import EventData, event_type
from testing.api import check_problem, client_of
from testing.shop import order_created
from tools.contracts.asyncapi import breaks

Document = dict[str, Any]
DOCUMENT: Document = document()
CREATED = "OrderCreatedV1"
NAMES = [kind.type for kind in types()]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for one in part:
            yield from references(one)


def test_it_tells_of_every_event_and_handler_and_of_no_other() -> None:
    assert set(DOCUMENT["channels"]) == set(NAMES) >= {kind.type for kind in the_map().subscriptions}
    handled = {f"{h.name}.{kind.type}" for kind, handlers in the_map().subscriptions.items() for h in handlers}
    assert set(DOCUMENT["operations"]) == handled | {f"publish.{name}" for name in NAMES}
    assert all(operation["summary"] for operation in DOCUMENT["operations"].values())


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert found
    for reference in found:
        part = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_an_event_of_its_type(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    (example,) = message["examples"]
    assert example["payload"] == event_type(name).model_validate(dict(event_type(name).example)).model_dump(mode="json")
    assert example["payload"] == dict(event_type(name).example)
    whole = {"components": DOCUMENT["components"]}
    for part in ("headers", "payload"):
        Draft202012Validator({**whole, **message[part]}, format_checker=FormatChecker()).validate(example[part])


def test_a_type_without_an_example_is_described_all_the_same() -> None:
    class Plain(EventData):
        """Something happened."""

        type = "plain.happened.v1"
        plain_id: UUID

        @property
        def subject(self) -> UUID:
            return self.plain_id

    assert "examples" not in message_of(Plain)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_explained(name: str) -> None:
    for field in schema_of(event_type(name))["properties"].values():
        assert field["description"]


@pytest.mark.django_db(transaction=True)
def test_what_is_published_fits_the_schema_that_it_names() -> None:
    published(order_created())
    event = Event.objects.get()
    answer = client_of().get(event.dataschema)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/schema+json")
    schema = answer.json()
    assert schema["$id"] == event.dataschema
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(event.data)
    assert not Draft202012Validator(schema).is_valid(event.data | {"total": 2})


def test_the_document_is_served_and_a_schema_that_is_not_there_is_not_found() -> None:
    answer = client_of().get("/api/events/asyncapi.json")
    assert answer.json() == DOCUMENT
    for name in ("order.created.v9", "..", "goods.arrived.v1"):
        check_problem(client_of().get(f"/api/events/schemas/{name}.json"), 404, "not_found")


def test_the_page_has_every_event_with_its_fields_handlers_and_example() -> None:
    page = client_of().get("/api/events").content.decode()
    for name in NAMES:
        assert f'<section id="{name}">' in page
        assert f'href="/api/events/schemas/{name}.json"' in page
    assert "<code>items[].unit_price</code>" in page
    assert "<code>inventory.reserve_items</code>" in page
    assert "inventory.dlq" in page
    assert "<script" not in page


# --- Breaks -------------------------------------------------------------------------------------------------------


def fields(new: Document, name: str = CREATED) -> Any:
    return new["components"]["schemas"][name]["properties"]


def required(new: Document, name: str = CREATED) -> Any:
    return new["components"]["schemas"][name]["required"]


BAD: dict[str, tuple[Callable[[Document], object], list[str]]] = {
    "an event goes": (
        lambda new: new["components"]["messages"].pop("stock.reserved.v1"),
        ["stock.reserved.v1: the event is gone"],
    ),
    "a field goes": (
        lambda new: (fields(new).pop("total"), required(new).remove("total")),
        ["order.created.v1/total is gone"],
    ),
    "a field may be left out": (
        lambda new: required(new).remove("total"),
        ["order.created.v1/total may be left out now"],
    ),
    "a field comes that old events lack": (
        lambda new: (fields(new).update(note={"type": "string"}), required(new).append("note")),
        ["order.created.v1/note is required now"],
    ),
    "a field has another type": (
        lambda new: fields(new, "Line")["sku"].update(type="integer"),
        [
            f"order.{step}.v1/items/*/sku {words}"
            for step in ("cancelled", "confirmed", "created", "fulfilled", "rejected")
            for words in ("may be integer now", "does not take string any more")
        ],
    ),
    "a word goes": (
        lambda new: fields(new, "OrderCancelledV1")["reason"].update(enum=["staff"]),
        ["order.cancelled.v1/reason takes only staff now, not customer"],
    ),
    "a word comes, which old readers do not know": (
        lambda new: fields(new, "OrderCancelledV1")["reason"].update(enum=["customer", "staff", "robot"]),
        ["order.cancelled.v1/reason may be robot now"],
    ),
    "any word may come": (
        lambda new: fields(new, "OrderCancelledV1")["reason"].pop("enum"),
        ["order.cancelled.v1/reason may be anything now"],
    ),
    "a bound is tighter": (
        lambda new: fields(new, "Line")["quantity"].update(minimum=2),
        [f"order.{step}.v1/items/*/quantity: minimum is 2 now" for step in ("cancelled", "confirmed", "created")]
        + [f"order.{step}.v1/items/*/quantity: minimum is 2 now" for step in ("fulfilled", "rejected")],
    ),
}
GOOD: dict[str, Callable[[Document], object]] = {
    "nothing": lambda new: None,
    "an event comes": lambda new: new["components"]["messages"].update(new={"payload": {}}),
    "a field comes that may be left out": lambda new: fields(new).update(note={"type": "string"}),
    "other words": lambda new: fields(new)["total"].update(description="The sum."),
}


def changed(change: Callable[[Document], object]) -> Document:
    new = deepcopy(DOCUMENT)
    change(new)
    return new


@pytest.mark.parametrize("why", BAD)
def test_what_breaks_a_reader_is_told_with_its_place(why: str) -> None:
    change, told = BAD[why]
    assert sorted(breaks(DOCUMENT, changed(change))) == sorted(told)


@pytest.mark.parametrize("why", GOOD)
def test_what_breaks_no_reader_is_let_through(why: str) -> None:
    assert breaks(DOCUMENT, changed(GOOD[why])) == []
