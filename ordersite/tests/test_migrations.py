"""Each migration is one that the code of the release before can live with (docs/deploying.md)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Q

from ordersite.settings import BASE_DIR
from ordersite.tests.expand import offences

# What no rule can judge, and a person has: none of it waits for traffic, or is missed by the release before.
LOOKED_AT = {
    ("inventory", "0002_append_only_movements"): "the trigger refuses what no code does",
    ("orders", "0002_state_machine"): "the trigger refuses what no code does",
    ("orders", "0003_fewer_indexes"): "each index that goes is another's beginning, or served no query",
    ("inventory", "0005_money"): "a numeric without bounds: no row is rewritten, and docs/deploying.md tells what to do"
    " about prepared statements",
    ("orders", "0005_money"): "the same; and what the check that comes back not valid refuses, no code writes",
    ("analytics", "0003_money"): "the same as inventory's",
    ("events", "0005_storage"): "the same; and how a table is stored is nothing that code knows",
    ("events", "0007_contract_delivery_undone"): "nothing was released yet that asks that index",
    ("events", "0008_tallies"): "how a table of its own is stored",
    ("events", "0012_purge_marks"): "it reads what is there, and writes a table of its own",
    ("notifications", "0002_room_for_updates"): "how a table is stored is nothing that code knows",
    ("ordersite", "0001_groups"): "groups that nobody is in yet",
    ("ordersite", "0002_analysts"): "the same",
}
FIRST = "0001_initial"
MIXED = {  # from before the rule below
    ("events", "0005_storage"),
    ("orders", "0003_fewer_indexes"),
    ("events", "0006_what_holds_by_handled_at"),
    ("events", "0008_tallies"),
    ("events", "0009_notes_and_died_at"),
}


def migrations_of_ours() -> Iterator[tuple[Migration, ProjectState]]:
    """Yield our migrations, each with the state before it."""
    loader = MigrationLoader(None)
    ours = {config.label for config in apps.get_app_configs() if Path(config.path).parent == BASE_DIR}
    for key, migration in loader.disk_migrations.items():
        if key[0] in ours:
            yield migration, loader.project_state(key, at_end=False)


def test_every_migration_only_expands() -> None:
    seen = {(m.app_label, m.name): list(offences(m, before)) for m, before in migrations_of_ours()}
    assert ("events", "0002_failed_attempts_and_unusable_messages") in seen
    found = [o for key, found in seen.items() for o in found if key[1] != FIRST and key not in LOOKED_AT]
    contracting = [offence for offence in found if "_contract_" not in offence]
    assert contracting == []


def test_what_was_looked_at_is_still_there_and_has_something_to_look_at() -> None:
    seen = {(m.app_label, m.name): list(offences(m, before)) for m, before in migrations_of_ours()}
    assert all(seen[key] for key in LOOKED_AT)


def test_what_is_not_atomic_only_builds_indexes_so_that_it_can_be_repeated() -> None:
    """Of such a migration that was given up in the middle, `manage.py migrate` knows which indexes it has built."""
    repeatable = AddIndexConcurrently, RemoveIndexConcurrently
    mixed = {
        (migration.app_label, migration.name)
        for migration, _ in migrations_of_ours()
        if not migration.atomic and not all(isinstance(each, repeatable) for each in migration.operations)
    }
    assert mixed == MIXED


def text(**options: Any) -> "models.CharField[str, str]":
    return models.CharField(**({"max_length": 20} | options))


BAD: dict[str, Operation] = {
    "a column goes": migrations.RemoveField("order", "total"),
    "a column has another name": migrations.RenameField("order", "total", "sum"),
    "a table goes": migrations.DeleteModel("storedanswer"),
    "a table has another name": migrations.RenameModel("Order", "Purchase"),
    "old code inserts no value": migrations.AddField("order", "channel", text(default="web")),
    "old code inserts null": migrations.AlterField("order", "note", text()),
    "old code inserts longer texts": migrations.AlterField("order", "note", text(null=True, max_length=10)),
    "prepared statements know a shorter text": migrations.AlterField("order", "note", text(null=True, max_length=30)),
    "the table is rewritten": migrations.AlterField("order", "number", models.IntegerField()),
    "an index is built under a lock": migrations.AddIndex("order", models.Index(fields=["currency"], name="x")),
    "a unique column is indexed under a lock": migrations.AddField("order", "code", text(null=True, unique=True)),
    "a check reads all rows under a lock": migrations.AddConstraint(
        "order", models.CheckConstraint(condition=Q(total__gte=0), name="x")
    ),
    "who knows what": migrations.RunSQL("SELECT 1"),
}
GOOD: dict[str, list[Operation]] = {
    "a column that may be null": [migrations.AddField("order", "channel", text(null=True))],
    "a column with the database's default": [migrations.AddField("order", "channel", text(db_default=""))],
    "an index built beside the traffic": [AddIndexConcurrently("order", models.Index(fields=["currency"], name="x"))],
    "a table of its own": [
        migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))]),
        migrations.AddField("new", "name", text()),
        migrations.AddIndex("new", models.Index(fields=["name"], name="x")),
    ],
}


def offences_of(*found: Operation) -> list[str]:
    """What is wrong with a next migration of orders that does this."""
    before = MigrationLoader(None).project_state(("orders", "0002_state_machine"))
    before.add_field("orders", "order", "note", text(null=True), preserve_default=True)
    following = type("Migration", (Migration,), {"operations": list(found)})
    return list(offences(following("0003_next", "orders"), before))


@pytest.mark.parametrize("why", BAD)
def test_what_the_release_before_cannot_bear_is_found(why: str) -> None:
    assert len(offences_of(BAD[why])) == 1


@pytest.mark.parametrize("why", GOOD)
def test_what_it_can_bear_is_let_through(why: str) -> None:
    assert offences_of(*GOOD[why]) == []
