"""A group of staff who look at sales and ask for reports (docs/admin.md); one that is there already is left alone."""

from importlib import import_module
from typing import Any

from django.db import migrations

groups = import_module("ordersite.migrations.0001_groups")

NAME = "analyst"
PERMISSIONS = [*groups.SALES, "analytics.request_report"]


def make_group(apps: Any, schema_editor: Any) -> None:
    """Make the group if it is missing."""
    alias = schema_editor.connection.alias
    groups._make_permissions(apps, "analytics", alias)  # 0001 made those that there were then
    group, made = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=NAME)
    if made:
        group.permissions.set([groups._permission(apps, permission, alias) for permission in PERMISSIONS])


class Migration(migrations.Migration):
    dependencies = [("ordersite", "0001_groups"), ("analytics", "0002_reports")]
    operations = [migrations.RunPython(make_group, migrations.RunPython.noop)]
