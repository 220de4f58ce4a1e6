"""The contract of the events, and a schema for each of their types."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from events.asyncapi.breaks import breaks
from events.asyncapi.document import document
from events.asyncapi.schemas import schema_of, types
from rest.contract import Contract
from rest.openapi.text import to_yaml


def text() -> str:
    """Return the AsyncAPI document."""
    return to_yaml(document())


def made() -> Mapping[Path, str]:
    """Return the document, and the schemas."""
    schemas = {
        Path(f"contracts/events/{kind.type}.json"): json.dumps(schema_of(kind), indent=2) + "\n" for kind in types()
    }
    return {Path("contracts/asyncapi.yaml"): text(), **schemas}


CONTRACT = Contract(
    name="asyncapi",
    suffix=".yaml",
    made=made,
    text=text,
    breaks=lambda released: breaks(yaml.safe_load(released), document()),
)
