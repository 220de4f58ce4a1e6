"""The customers' page, and groups of staff to begin with: what each may do stands in docs/admin.md.

A group that is there already is left as it is, so what staff make of these stays. Permissions are made after all
migrations, which is too late for this one: it makes those of the apps that it needs, and the later look finds them.
"""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

BOOKS = ["orders.view_order", "orders.view_orderline", "orders.view_statuschange", "ordersite.view_customer"]
STOCK = ["inventory.view_product", "inventory.view_reservation", "inventory.view_movement"]
MAIL = ["notifications.view_notification"]
SALES = ["analytics.view_dailysales", "analytics.view_dailyproductsales"]
BUS = ["events.view_event", "events.view_delivery", "events.view_deadletter", "events.view_unusablemessage"]
RESULTS = ["django_celery_results.view_taskresult", "django_celery_results.view_groupresult"]

GROUPS = {
    "viewer": [*BOOKS, *STOCK, *MAIL, *SALES, *BUS],
    "order clerk": [*BOOKS, *MAIL, "orders.change_order", "inventory.view_product"],
    "stock keeper": [*STOCK, "inventory.add_product", "inventory.change_product"],
    "operator": [*BOOKS, *MAIL, *BUS, *RESULTS, "events.decide_deadletter", "events.edit_deadletter"],
}


def make_groups(apps: Any, schema_editor: Any) -> None:
    """Make the groups that are missing."""
    alias = schema_editor.connection.alias
    for label in {permission.split(".")[0] for permissions in GROUPS.values() for permission in permissions}:
        _make_permissions(apps, label, alias)
    for name, permissions in GROUPS.items():
        group, made = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=name)
        if made:
            group.permissions.set([_permission(apps, permission, alias) for permission in permissions])


def _make_permissions(apps: Any, label: str, alias: str) -> None:
    config = apps.get_app_config(label)
    config.models_module = getattr(config, "models_module", True)  # without one nothing would be made
    create_permissions(config, apps=apps, using=alias, verbosity=0)


def _permission(apps: Any, name: str, alias: str) -> Any:
    label, codename = name.split(".")
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    return permissions.get(content_type__app_label=label, codename=codename)


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("users", "0001_initial"),
        ("events", "0009_notes_and_died_at"),
        ("inventory", "0003_product_orderings"),
        ("orders", "0003_fewer_indexes"),
        ("notifications", "0002_room_for_updates"),
        ("analytics", "0001_initial"),
        ("django_celery_results", "0009_groupresult"),
    ]
    operations = [
        migrations.CreateModel(
            name="Customer",
            fields=[],
            options={"proxy": True, "indexes": [], "constraints": []},
            bases=("users.user",),
        ),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]
