"""The faults that are put in besides Cosmic Ray's own: in SQL, in calls of Django's ORM, and statements left out."""

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cosmic_ray.operators.operator import Operator
from parso.python.tree import String

Node = Any  # one of parso's, whose types do not say which has children
Position = tuple[int, int]

IS_SQL = re.compile(r"\b(SELECT|UPDATE|INSERT|DELETE|WHERE|SET|AND|OR|EXISTS|IS NULL|FOR (?:NO KEY )?UPDATE|CASE)\b")
# What ends a clause, where it stands outside of the clause's own brackets.
END = re.compile(
    r"\b(AND|OR|ORDER BY|GROUP BY|LIMIT|OFFSET|FOR (?:NO KEY )?UPDATE|RETURNING|UNION|THEN|WHEN|ELSE|END|AS)\b"
)
WHERE_ENDS = re.compile(r"\b(ORDER BY|GROUP BY|LIMIT|OFFSET|FOR (?:NO KEY )?UPDATE|RETURNING|UNION)\b")
SET_ENDS = re.compile(r"\b(FROM|WHERE|RETURNING)\b")
# One for another, by a pattern and what takes its place.
SWAPS = (
    (r"(?<= )<=(?= )", "<"),
    (r"(?<= )<(?= )", "<="),
    (r"(?<= )>=(?= )", ">"),
    (r"(?<= )>(?= )", ">="),
    (r"(?<= )<>(?= )", "="),
    (r"(?<= )\+(?= )", "-"),
    (r"(?<= )-(?= )", "+"),
    (r"\bleast\b", "greatest"),
    (r"\bgreatest\b", "least"),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bNOT (?=[a-z{(])", ""),
    (r" ORDER BY [^()]+?(?= LIMIT| FOR (?:NO KEY )?UPDATE|\)|\n|\"|$)", ""),
    (r" DESC\b", ""),
    (r" LIMIT (\d+|%\(\w+\)s|\{\w+\})", ""),
    (r"\s+FOR (?:NO KEY )?UPDATE( SKIP LOCKED)?", ""),
    (r" SKIP LOCKED", ""),
    (r"(?<=\bWHEN ).+?(?= THEN\b)", "true"),
    (r"(?<=\bWHEN ).+?(?= THEN\b)", "false"),
)


@dataclass(frozen=True)
class Edit:
    """A part of a node's text, and what takes its place."""

    start: int
    end: int
    new: str = ""


class Splice(Operator):  # type: ignore[misc] # Cosmic Ray has no types
    """An operator that changes a part of the text of a node."""

    @abstractmethod
    def edits(self, node: Node) -> Sequence[Edit]:
        """Return the changes that can be made to this node."""

    def mutation_positions(self, node: Node) -> Iterator[tuple[Position, Position]]:
        for _ in self.edits(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Node, index: int) -> Node:
        edit, code = self.edits(node)[index], text_of(node)
        return String(code[: edit.start] + edit.new + code[edit.end :], node.start_pos, node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class ChangeSql(Splice):
    """Drops a condition, an order, a lock or an assignment of a statement, or turns a comparison."""

    def edits(self, node: Node) -> Sequence[Edit]:
        code = text_of(node)
        if node.type not in ("string", "fstring") or node.parent.type == "simple_stmt" or not IS_SQL.search(code):
            return []
        return [*_swaps(code), *_conditions(code), *_assignments(code)]


class DropCall(Splice):
    """Drops a call in a chain that locks, sorts or filters: `.select_for_update()`."""

    NAMES = ("select_for_update", "order_by", "filter", "exclude", "distinct")

    def edits(self, node: Node) -> Sequence[Edit]:
        return [Edit(start, end) for name, start, end, _ in _calls(node) if name in self.NAMES]


class DropArgument(Splice):
    """Drops one keyword argument of a call that filters or changes rows."""

    NAMES = ("filter", "exclude", "get", "update", "create", "exists")

    def edits(self, node: Node) -> Sequence[Edit]:
        return [
            edit
            for name, _, end, arguments in _calls(node)
            if name in self.NAMES
            for edit in _keywords(arguments, end - len(text_of(arguments)))
        ]


class DropStatement(Splice):
    """Leaves out a call, a change of an attribute, an addition or an error, and returns nothing."""

    def edits(self, node: Node) -> Sequence[Edit]:
        if node.type == "return_stmt" and text_of(node) != "return None":
            return [Edit(0, len(text_of(node)), "return None")]
        is_statement = node.parent is not None and node.parent.type == "simple_stmt"
        return [Edit(0, len(text_of(node)), "pass")] if is_statement and _does_something(node) else []


def text_of(node: Node) -> str:
    """Return the code of a node, without the spaces and comments before it."""
    return str(node.get_code(include_prefix=False))


def _does_something(node: Node) -> bool:
    if node.type == "expr_stmt":
        target, operator = node.children[:2]
        return target.type == "atom_expr" or (operator.type == "operator" and text_of(operator) != "=")
    is_call = node.type == "atom_expr" and node.children[-1].type == "trailer"
    return is_call or bool(node.type == "raise_stmt")


def _calls(node: Node) -> Iterator[tuple[str, int, int, Node]]:
    """Yield the name, the place in the text and the brackets of each `.name(...)` of a chain."""
    if node.type != "atom_expr":
        return
    for child, following in pairwise(node.children):
        if text_of(child).startswith(".") and text_of(following).startswith("("):
            start = _offset(node, child)
            yield text_of(child)[1:], start, _offset(node, following) + len(text_of(following)), following


def _offset(node: Node, child: Node) -> int:
    before = node.children[: node.children.index(child)]
    return len("".join(each.get_code() for each in before)) - len(node.get_first_leaf().prefix)


def _keywords(brackets: Node, offset: int) -> Iterator[Edit]:
    (inner,) = brackets.children[1:-1] or (None,)
    if inner is None:
        return
    arguments = inner.children if inner.type == "arglist" else [inner]
    code = text_of(brackets)
    for argument in arguments:
        if argument.type == "argument" and text_of(argument.children[0]).isidentifier():
            start = code.index(text_of(argument))
            end = start + len(text_of(argument))
            rest = re.match(r",\s*", code[end:])
            yield Edit(offset + start, offset + end + (rest.end() if rest else 0))


def _swaps(code: str) -> Iterator[Edit]:
    for pattern, new in SWAPS:
        for match in re.finditer(pattern, code, re.DOTALL):
            yield Edit(match.start(), match.end(), new)


def _conditions(code: str) -> Iterator[Edit]:
    """Drop each term after AND or OR; the first after WHERE; and a WHERE with one term."""
    for match in re.finditer(r"\b(AND|OR)\b", code):
        yield Edit(match.start(), _end(code, match.end(), END), " ")
    for match in re.finditer(r"\bWHERE ", code):
        end = _end(code, match.end(), END)
        whole = _end(code, match.end(), WHERE_ENDS)
        more = re.match(r"\s*AND ", code[end:])
        yield Edit(match.end(), end + more.end()) if more else Edit(match.start(), whole, " ")


def _assignments(code: str) -> Iterator[Edit]:
    """Drop each assignment of a SET that has several."""
    for match in re.finditer(r"\bSET ", code):
        last = _end(code, match.end(), SET_ENDS, commas=False)
        commas = [match.end()]
        while (comma := _end(code, commas[-1] + 1, SET_ENDS)) < last:
            commas.append(comma)
        if len(commas) > 1:
            yield Edit(match.end(), commas[1] + 1)
            yield from (Edit(start, end, " ") for start, end in pairwise([*commas[1:], last]))


def _end(code: str, start: int, ends: re.Pattern[str], *, commas: bool = True) -> int:
    """Return where what begins at `start` is over: at one of `ends` outside of its own brackets, or with the text."""
    depth = 0
    for at in range(start, len(code)):
        depth += (code[at] in "({") - (code[at] in ")}")
        if depth < 0 or (depth == 0 and _ends_here(code, at, ends, commas and at > start)):
            return at
    return len(code)


def _ends_here(code: str, at: int, ends: re.Pattern[str], commas: bool) -> bool:
    return code[at] == '"' or (commas and code[at] == ",") or ends.match(code, at) is not None


ALL: Mapping[str, type[Splice]] = {each.__name__: each for each in (ChangeSql, DropCall, DropArgument, DropStatement)}


class Provider:
    """The operators above under their names, as Cosmic Ray looks them up."""

    def __iter__(self) -> Iterator[str]:
        return iter(ALL)

    def __getitem__(self, name: str) -> Any:
        return ALL[name]
