"""Which migrations may run while the code of the release before goes on working: those that only expand."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import connection
from django.db.migrations import Migration, operations
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import ManyToManyField
from django.db.models.fields import NOT_PROVIDED

HARMLESS = (
    operations.CreateModel,
    operations.AlterModelOptions,
    operations.AlterModelManagers,
    AddIndexConcurrently,
    AddConstraintNotValid,
    ValidateConstraint,
)


def offences(migration: Migration, before: ProjectState) -> Iterator[str]:
    """Yield what the code of the release before would not bear, or traffic would wait for.

    `before` is the state in front of the migration. Tables that the migration makes itself may be treated at will.
    """
    state = before.clone()
    own: set[str] = set()
    for operation in _flat(migration.operations):
        if isinstance(operation, operations.CreateModel):
            own.add(operation.name_lower)
        table = str(getattr(operation, "model_name", "")).lower()
        problem = "" if table in own else _problem(operation, state, migration.app_label)
        if problem:
            yield f"{migration.app_label}.{migration.name}: {operation.describe()}: {problem}"
        operation.state_forwards(migration.app_label, state)


def _flat(found: Iterable[Operation]) -> Iterator[Operation]:
    for operation in found:
        if isinstance(operation, operations.SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


def _problem(operation: Operation, before: ProjectState, app: str) -> str:
    if isinstance(operation, HARMLESS):
        return ""
    if isinstance(operation, operations.AddField):
        return _added(operation.field)
    if isinstance(operation, operations.AlterField):
        old = before.models[app, operation.model_name_lower].fields[operation.name]
        return _altered(old, operation.field)
    if isinstance(operation, operations.AddIndex):
        return "writes wait while it is built: use AddIndexConcurrently, in a migration with atomic = False"
    if isinstance(operation, operations.AddConstraint):
        return "writes wait while all rows are checked: use AddConstraintNotValid, then ValidateConstraint"
    return "the code of the release before may need what it takes away, or nobody can tell"


def _added(field: Any) -> str:
    if isinstance(field, ManyToManyField) or field.null or field.db_default is not NOT_PROVIDED:
        return "" if not (field.unique or field.db_index) else "its index is built while writes wait"
    return "rows that the release before inserts have no value: let it be null, or give it a db_default"


def _altered(old: Any, new: Any) -> str:
    """Only what leaves the column as it is, or lets it be null."""
    if old.null and not new.null:
        return "the release before inserts null"
    if old.db_type(connection) != new.db_type(connection):
        return "another type, or length: prepared statements of the release before fail, as their result is another"
    if (new.unique, new.db_index) != (old.unique, old.db_index):
        return "its index is built while writes wait"
    return ""
