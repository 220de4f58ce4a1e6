"""Finds what a change of the events would break for who reads them, or for old ones that are read again."""

from collections.abc import Iterator

from rest.openapi.breaks import Schema, kept


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return each break between two AsyncAPI documents, in words that say where it is."""
    return list(_of_messages(old, new))


def _of_messages(old: Schema, new: Schema) -> Iterator[str]:
    after = new["components"]["messages"]
    for name, message in old["components"]["messages"].items():
        if name not in after:
            yield f"{name}: the event is gone"
            continue
        for part in ("headers", "payload"):
            yield from kept(name, (old, message[part]), (new, after[name][part]))
