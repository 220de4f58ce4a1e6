"""The contract of gRPC: contracts/proto/, written by hand; the stubs are made of it."""

import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from sysconfig import get_path

from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from events.errors import EventsError
from rest.contract import Contract
from rpc.breaks import breaks

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "contracts/proto"
STUBS = Path("rpc/stubs")


class NoProto(EventsError):
    """The files are no protobuf; protoc has said on standard error where."""


@cache
def made() -> Mapping[Path, str]:
    """Return the stubs, with their types."""
    with tempfile.TemporaryDirectory() as folder:
        plugins = [f"--plugin={get_path('scripts')}/protoc-gen-{name}" for name in ("mypy", "mypy_grpc")]
        kinds = ("python_out=", "grpc_python_out=", "mypy_out=quiet:", "mypy_grpc_out=quiet:")
        _compile(*plugins, *(f"--{kind}{folder}" for kind in kinds))
        return {STUBS / path.name: path.read_text() for path in sorted((Path(folder) / STUBS).iterdir())}


@cache
def described() -> FileDescriptorSet:
    """Return what the files say, as protobuf describes itself."""
    with tempfile.NamedTemporaryFile() as file:
        _compile(f"--descriptor_set_out={file.name}")
        return FileDescriptorSet.FromString(Path(file.name).read_bytes())


def _compile(*arguments: str) -> None:
    sources = [str(path) for path in sorted(SOURCES.glob("*.proto"))]
    paths = [f"-I{STUBS}={SOURCES}", f"-I{files('grpc_tools') / '_proto'}"]
    if protoc.main(["protoc", *paths, *arguments, *sources]):
        raise NoProto


CONTRACT = Contract(
    name="proto",
    suffix=".json",
    made=made,
    text=lambda: json_format.MessageToJson(described()) + "\n",
    breaks=lambda released: breaks(json_format.Parse(released, FileDescriptorSet()), described()),
)
