"""A change of the .proto files that breaks who has old stubs is found; one that does not is let pass."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet

from rpc.breaks import breaks
from rpc.contract import described

RELEASED = described()
Change = Callable[[FileDescriptorSet], Any]


def message(files: FileDescriptorSet, name: str) -> DescriptorProto:
    (found,) = [one for file in files.file for one in file.message_type if one.name == name]
    return found


def field(files: FileDescriptorSet, name: str, of: str = "Order") -> FieldDescriptorProto:
    (found,) = [one for one in message(files, of).field if one.name == name]
    return found


def status(files: FileDescriptorSet) -> EnumDescriptorProto:
    (found,) = [enum for file in files.file for enum in file.enum_type]
    return found


def orders(files: FileDescriptorSet) -> int:
    return [file.package for file in files.file].index("ordersite.orders.v1")


BAD: dict[str, tuple[Change, list[str]]] = {
    "a field goes": (
        lambda files: message(files, "Order").field.remove(field(files, "total")),
        ["ordersite.orders.v1.Order.total (6) is gone"],
    ),
    "a field has another name": (
        lambda files: setattr(field(files, "total"), "name", "sum"),
        ["ordersite.orders.v1.Order.total (6) is sum now"],
    ),
    "a number is used again": (
        lambda files: field(files, "total").MergeFrom(
            FieldDescriptorProto(name="weight", type=FieldDescriptorProto.TYPE_INT32)
        ),
        [
            "ordersite.orders.v1.Order.total (6) is weight now",
            "ordersite.orders.v1.Order.total is of another type",
        ],
    ),
    "a field has another number": (
        lambda files: setattr(field(files, "total"), "number", 60),
        ["ordersite.orders.v1.Order.total (6) is gone"],
    ),
    "a field has another type": (
        lambda files: setattr(field(files, "quantity", of="OrderItem"), "type", FieldDescriptorProto.TYPE_STRING),
        ["ordersite.orders.v1.OrderItem.quantity is of another type"],
    ),
    "many become one": (
        lambda files: setattr(field(files, "items"), "label", FieldDescriptorProto.LABEL_OPTIONAL),
        ["ordersite.orders.v1.Order.items is of another type"],
    ),
    "a message goes": (
        lambda files: files.file[orders(files)].message_type.remove(message(files, "GetOrderRequest")),
        ["ordersite.orders.v1.GetOrderRequest: the message is gone"],
    ),
    "a value goes": (
        lambda files: status(files).value.pop(),
        ["ordersite.orders.v1.OrderStatus.ORDER_STATUS_FULFILLED (5) is gone"],
    ),
    "a value has another name": (
        lambda files: setattr(status(files).value[1], "name", "ORDER_STATUS_NEW"),
        ["ordersite.orders.v1.OrderStatus.ORDER_STATUS_PENDING (1) is ORDER_STATUS_NEW now"],
    ),
    "the enum goes": (
        lambda files: files.file[orders(files)].enum_type.pop(),
        ["ordersite.orders.v1.OrderStatus: the enum is gone"],
    ),
    "a method goes": (
        lambda files: files.file[orders(files)].service[0].method.pop(),
        ["ordersite.orders.v1.OrderService/WatchOrder: the method is gone"],
    ),
    "a stream becomes one answer": (
        lambda files: setattr(files.file[orders(files)].service[0].method[1], "server_streaming", False),
        ["ordersite.orders.v1.OrderService/WatchOrder takes or returns something else"],
    ),
}
GOOD: dict[str, Change] = {
    "nothing": lambda files: None,
    "a field comes": lambda files: message(files, "Order").field.add(name="note", number=11, type="TYPE_STRING"),
    "a message comes": lambda files: files.file[0].message_type.add(name="New"),
    "a value comes": lambda files: status(files).value.add(name="ORDER_STATUS_LOST", number=6),
    "a method comes": lambda files: files.file[0].service[0].method.add(name="New"),
}


def changed(change: Change) -> FileDescriptorSet:
    new = FileDescriptorSet()
    new.CopyFrom(RELEASED)
    change(new)
    return new


@pytest.mark.parametrize("why", BAD)
def test_what_breaks_is_told_with_its_place(why: str) -> None:
    change, told = BAD[why]
    assert breaks(RELEASED, changed(change)) == told


@pytest.mark.parametrize("why", GOOD)
def test_what_breaks_nobody_is_let_through(why: str) -> None:
    assert breaks(RELEASED, changed(GOOD[why])) == []


def test_what_is_nested_is_looked_at_too() -> None:
    old = changed(lambda files: message(files, "Order").nested_type.add(name="Inner").enum_type.add(name="Kind"))
    assert breaks(old, RELEASED) == [
        "ordersite.orders.v1.Order.Inner: the message is gone",
        "ordersite.orders.v1.Order.Inner.Kind: the enum is gone",
    ]
