"""A change of the .proto files that breaks who has old stubs is found; one that does not is let pass."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet

from tools.contracts.proto import CONTRACT, NoProto, breaks, described

RELEASED = CONTRACT.text()
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


def into_a_oneof(files: FileDescriptorSet) -> None:
    message(files, "Order").oneof_decl.add(name="either")
    field(files, "total").oneof_index = 0


BAD: dict[str, tuple[Change, str]] = {
    "a field goes": (
        lambda files: message(files, "Order").field.remove(field(files, "total")),
        'field "6" with name "total" on message "Order" was deleted',
    ),
    "a field has another name": (lambda files: setattr(field(files, "total"), "name", "sum"), '"total" to "sum"'),
    "a field has another number": (
        lambda files: setattr(field(files, "total"), "number", 60),
        'field "6" with name "total" on message "Order" was deleted',
    ),
    "a field has another type": (
        lambda files: setattr(field(files, "quantity", of="OrderItem"), "type", FieldDescriptorProto.TYPE_STRING),
        '"quantity" on message "OrderItem" changed type',
    ),
    "many become one": (
        lambda files: setattr(field(files, "items"), "label", FieldDescriptorProto.LABEL_OPTIONAL),
        '"items" on message "Order" changed',
    ),
    "a field moves into a oneof": (
        into_a_oneof,
        "moved from outside to inside a oneof",
    ),
    "a value goes": (lambda files: status(files).value.pop(), 'value "5" on enum "OrderStatus" was deleted'),
    "a value has another name": (
        lambda files: setattr(status(files).value[1], "name", "ORDER_STATUS_NEW"),
        '"ORDER_STATUS_NEW"',
    ),
    "a method goes": (lambda files: files.file[orders(files)].service[0].method.pop(), '"WatchOrder"'),
    "a stream becomes one answer": (
        lambda files: setattr(files.file[orders(files)].service[0].method[1], "server_streaming", False),
        '"WatchOrder"',
    ),
}
GOOD: dict[str, Change] = {
    "nothing": lambda files: None,
    "a field comes": lambda files: message(files, "Order").field.add(name="note", number=11, type="TYPE_STRING"),
    "a message comes": lambda files: files.file[0].message_type.add(name="New"),
    "a value comes": lambda files: status(files).value.add(name="ORDER_STATUS_LOST", number=6),
    "a method comes": lambda files: (
        files.file[orders(files)]
        .service[0]
        .method.add(name="New", input_type=".ordersite.orders.v1.Order", output_type=".ordersite.orders.v1.Order")
    ),
}


def changed(change: Change) -> FileDescriptorSet:
    new = FileDescriptorSet()
    new.CopyFrom(described())
    change(new)
    return new


@pytest.mark.parametrize("why", BAD)
def test_what_breaks_is_told_with_its_place(why: str) -> None:
    change, told = BAD[why]
    assert told in "\n".join(breaks(RELEASED, changed(change)))


@pytest.mark.parametrize("why", GOOD)
def test_what_breaks_nobody_is_let_through(why: str) -> None:
    assert breaks(RELEASED, changed(GOOD[why])) == []


def with_more(files: FileDescriptorSet) -> None:
    file = files.file[orders(files)]
    file.message_type.add(name="Gone")
    file.enum_type.add(name="GoneToo").value.add(name="GONE_TOO_UNSPECIFIED", number=0)


@pytest.mark.parametrize("told", ['message "Gone" was deleted', 'enum "GoneToo" was deleted'])
def test_a_message_and_an_enum_that_go_are_told(told: str) -> None:
    assert told in "\n".join(breaks(json_format.MessageToJson(changed(with_more))))


def test_files_that_no_reader_of_protobuf_understands_are_an_error() -> None:
    with pytest.raises(NoProto):
        breaks(RELEASED, changed(lambda files: setattr(field(files, "total"), "type_name", "Nothing")))
