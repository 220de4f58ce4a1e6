"""The contract of the events, a schema for each of their types, and what breaks the contract."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from events.asyncapi.document import document
from events.asyncapi.schemas import schema_of, types
from rest.openapi.text import to_yaml
from tools.contracts.breaks import Schema, kept
from tools.contracts.contract import Contract


def text() -> str:
    return to_yaml(document())


def made() -> Mapping[Path, str]:
    files = {Path("contracts/asyncapi.yaml"): text()}
    for kind in types():
        files[Path(f"contracts/events/{kind.type}.json")] = json.dumps(schema_of(kind), indent=2) + "\n"
    return files


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return what the change from one AsyncAPI document to another breaks, in words that say where it is.

    Both count: a reader of the old one that is given new events, and old events that are read by the new one.
    """
    found = []
    after = new["components"]["messages"]
    for name, message in old["components"]["messages"].items():
        if name not in after:
            found.append(f"{name}: the event is gone")
            continue
        for part in ("headers", "payload"):
            found += kept(name, (old, message[part]), (new, after[name][part]))
    return found


CONTRACT = Contract(
    name="asyncapi",
    suffix=".yaml",
    made=made,
    text=text,
    breaks=lambda released: breaks(yaml.safe_load(released), document()),
)
