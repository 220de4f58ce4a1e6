#!/usr/bin/env python
"""Django's command line for ordersite."""

import os
import sys

from django.core.management import execute_from_command_line

from ordersite import tracing


def main() -> None:
    """Run the management command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")
    if sys.argv[1:2] == ["relay"]:
        os.environ.setdefault("PROCESS_KIND", "relay")
        tracing.set_up()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
