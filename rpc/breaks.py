"""Finds what a change of the .proto files would break for those who have stubs of older ones.

Bytes are read by numbers, JSON and code by names: so neither may change, nor what stands under them. New messages,
fields, values and methods break nobody.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorSet


def breaks(old: FileDescriptorSet, new: FileDescriptorSet) -> list[str]:
    """Return each break, in words that say where it is."""
    return [*_of_messages(old, new), *_of_enums(old, new), *_of_services(old, new)]


def _of_messages(old: FileDescriptorSet, new: FileDescriptorSet) -> Iterator[str]:
    after = dict(_messages(new))
    for name, message in _messages(old):
        if name not in after:
            yield f"{name}: the message is gone"
            continue
        fields = {field.number: field for field in after[name].field}
        yield from _of_numbers(name, message.field, fields)
        for field in message.field:
            if field.number in fields and _type(field) != _type(fields[field.number]):
                yield f"{name}.{field.name} is of another type"


def _of_enums(old: FileDescriptorSet, new: FileDescriptorSet) -> Iterator[str]:
    after = dict(_enums(new))
    for name, enum in _enums(old):
        if name not in after:
            yield f"{name}: the enum is gone"
        else:
            yield from _of_numbers(name, enum.value, {value.number: value for value in after[name].value})


def _of_services(old: FileDescriptorSet, new: FileDescriptorSet) -> Iterator[str]:
    after = _methods(new)
    for name, method in _methods(old).items():
        if name not in after:
            yield f"{name}: the method is gone"
        elif _signature(method) != _signature(after[name]):
            yield f"{name} takes or returns something else"


def _of_numbers(name: str, old: Iterable[Any], new: Mapping[int, Any]) -> Iterator[str]:
    """Yield what became of numbered things: of fields, or of the values of an enum."""
    for one in old:
        if one.number not in new:
            yield f"{name}.{one.name} ({one.number}) is gone"
        elif new[one.number].name != one.name:
            yield f"{name}.{one.name} ({one.number}) is {new[one.number].name} now"


def _messages(files: FileDescriptorSet) -> Iterator[tuple[str, DescriptorProto]]:
    for file in files.file:
        for message in file.message_type:
            yield from _with_nested(f"{file.package}.{message.name}", message)


def _with_nested(name: str, message: DescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    yield name, message
    for nested in message.nested_type:
        yield from _with_nested(f"{name}.{nested.name}", nested)


def _enums(files: FileDescriptorSet) -> Iterator[tuple[str, EnumDescriptorProto]]:
    for file in files.file:
        yield from ((f"{file.package}.{enum.name}", enum) for enum in file.enum_type)
    for name, message in _messages(files):
        yield from ((f"{name}.{enum.name}", enum) for enum in message.enum_type)


def _methods(files: FileDescriptorSet) -> Mapping[str, Any]:
    return {
        f"{file.package}.{service.name}/{method.name}": method
        for file in files.file
        for service in file.service
        for method in service.method
    }


def _type(field: Any) -> tuple[Any, ...]:
    return field.type, field.type_name, field.label, field.proto3_optional


def _signature(method: Any) -> tuple[Any, ...]:
    return method.input_type, method.output_type, method.client_streaming, method.server_streaming
