"""What `make run` does before the processes start: the schema and the demo data, in one process to save time."""

import os

import django


def main() -> None:
    """Migrate, and load the demo data where the database is the embedded one."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=1)
    if settings.EMBEDDED:
        call_command("load_demo")


if __name__ == "__main__":
    main()
