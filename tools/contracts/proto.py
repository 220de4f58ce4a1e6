"""The contract of gRPC: contracts/proto/, written by hand; the stubs are made of it."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from sysconfig import get_path

from google.protobuf import json_format, timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from events.errors import EventsError
from tools.contracts.contract import Contract

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "contracts/proto"
STUBS = Path("rpc/stubs")
# Bytes are read by numbers, JSON and code by names: neither may change, nor what stands under them.
RULES = json.dumps({"version": "v2", "breaking": {"use": ["PACKAGE", "WIRE_JSON"]}})
FOUND = 100  # buf's exit status where something breaks


class NoProto(EventsError):
    """The files are no protobuf: protoc, on standard error, or buf says where."""


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


def breaks(released: str, now: FileDescriptorSet | None = None) -> list[str]:
    """Return what buf says of the change since a release: https://buf.build/docs/breaking/rules."""
    old = json_format.Parse(released, FileDescriptorSet())
    with tempfile.TemporaryDirectory() as folder:
        new = _image(now or described(), Path(folder) / "new")
        before = _image(old, Path(folder) / "old")
        buf = [f"{get_path('scripts')}/buf", "breaking", str(new), "--against", str(before), "--config", RULES]
        done = subprocess.run(buf, capture_output=True, text=True, check=False)
    if done.returncode not in (0, FOUND):
        raise NoProto(done.stderr)
    return done.stdout.splitlines()


def _image(files: FileDescriptorSet, path: Path) -> Path:
    """Write the files as buf reads them: under the names that they have now, and with what they import."""
    whole = FileDescriptorSet()
    whole.CopyFrom(files)
    for file in whole.file:
        file.name = str(STUBS / Path(file.name).name)
    timestamp_pb2.DESCRIPTOR.CopyToProto(whole.file.add())
    image = path.with_suffix(".binpb")
    image.write_bytes(whole.SerializeToString())
    return image


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
    breaks=breaks,
)
