"""The document as text."""

import json
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """YAML as a person would write it: no anchors, and texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def to_yaml(document: Any) -> str:
    """Return it as YAML, in the order that it has."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def to_json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)
