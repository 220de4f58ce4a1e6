"""The API's contract, and the page on its errors."""

from pathlib import Path

import yaml

from rest.contract import Contract
from rest.openapi.breaks import breaks
from rest.openapi.document import document
from rest.openapi.errors_page import errors_page
from rest.openapi.text import to_yaml


def text() -> str:
    """Return the OpenAPI document."""
    return to_yaml(document())


CONTRACT = Contract(
    name="openapi",
    suffix=".yaml",
    made=lambda: {Path("contracts/openapi.yaml"): text(), Path("docs/errors.md"): errors_page()},
    text=text,
    breaks=lambda released: breaks(yaml.safe_load(released), document()),
)
