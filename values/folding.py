"""Search by what people mean: in any case, and in any of Unicode's spellings of a letter."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Lookup, TextField
from django.db.models.sql.compiler import SQLCompiler

# PostgreSQL 18 has casefold(); the oldest that we support has this. Lower case leaves apart what differs in upper case
# alone: ß, whose upper case is SS, and the sigma at the end of a word.
_FOLDED = "replace(replace(lower({}), 'ß', 'ss'), 'ς', 'σ')"  # noqa: RUF001 - it is a sigma
_PART = _FOLDED.format("normalize({}::text, NFKC)")
# The same of a column. Most texts are in normal form, and to look costs a third of normalize(). ASCII always is.
_NORMAL = "CASE WHEN {0} IS NFKC NORMALIZED THEN {0} ELSE normalize({0}, NFKC) END"
_TEXT = f"CASE WHEN octet_length({{0}}) = length({{0}}) THEN lower({{0}}) ELSE {_FOLDED.format(_NORMAL)} END"


def folded(*fields: str) -> list[str]:
    """Return the look-ups by ContainsFolded in these fields, such as for the `search_fields` of an admin's page."""
    return [f"{field}__{ContainsFolded.lookup_name}" for field in fields]


@CharField.register_lookup
@TextField.register_lookup
class ContainsFolded(Lookup[bool]):
    """`name__contains_folded="STRASSE"` finds a name with straße in it, and é finds e with an accent of its own.

    Which letters have another case is for the database's locale to say; with the locale C, only those of ASCII.
    """

    lookup_name = "contains_folded"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:  # type: ignore[override]
        text, of_text = self.process_lhs(compiler, connection)
        part, of_part = self.process_rhs(compiler, connection)
        return f"strpos({_TEXT.format(text)}, {_PART.format(part)}) > 0", [*of_text * _TEXT.count("{0}"), *of_part]
