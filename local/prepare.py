"""What `make run` does before the processes start: the schema and the demo data, in one process to save time."""

import os
from pathlib import Path

import django


def main() -> None:
    """Migrate, and load the demo data where the database is the embedded one."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)  # whitenoise warns where it is missing
    call_command("migrate", interactive=False, verbosity=1)
    if settings.EMBEDDED:
        call_command("load_demo")


if __name__ == "__main__":
    main()
