"""`manage.py contracts`: what the code promises, as files that a review can read."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ordersite.openapi.breaks import breaks
from ordersite.openapi.document import VERSION, document
from ordersite.openapi.errors_page import errors_page
from ordersite.openapi.text import to_yaml

CONTRACT = Path("contracts/openapi.yaml")
RELEASED = Path("contracts/released")
ERRORS = Path("docs/errors.md")


class Command(BaseCommand):
    """Writes the files; with --check, holds them against the code, and the contract against the last released one."""

    help = "Write contracts/openapi.yaml and docs/errors.md from the code."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the two other things that it does."""
        parser.add_argument("--check", action="store_true", help="change nothing; fail where something is wrong")
        parser.add_argument("--release", action="store_true", help="keep the contract as that of this version")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write, check or release."""
        root = Path(settings.BASE_DIR)
        if options["check"]:
            problems = [*different(root), *broken(root)]
            if problems:
                raise CommandError("\n".join(problems))
        elif options["release"]:
            release(root)
        else:
            for path, text in made().items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)


def made() -> dict[Path, str]:
    """Return the files as the code has them."""
    return {CONTRACT: to_yaml(document()), ERRORS: errors_page()}


def different(root: Path) -> list[str]:
    """Return which files are not as the code has them."""
    return [
        f"{path} is not what the code says. `make contracts` writes it anew; read the difference, then commit it."
        for path, text in made().items()
        if not (root / path).is_file() or (root / path).read_text() != text
    ]


def broken(root: Path) -> list[str]:
    """Return what breaks clients of the last released contract, if there is one."""
    released = sorted((root / RELEASED).glob("openapi-*.yaml"), key=_version)
    if not released:
        return []
    found = breaks(yaml.safe_load(released[-1].read_text()), document())
    head = f"This breaks clients of {released[-1].name}. Keep it, and put the new beside it: docs/versioning.md."
    return [head, *(f"  {line}" for line in found)] if found else []


def release(root: Path) -> None:
    """Keep the contract as that of this version. Raises CommandError where that was released."""
    path = root / RELEASED / f"openapi-{VERSION}.yaml"
    if path.exists():
        raise CommandError(f"{VERSION} was released. Give the next one its number, in pyproject.toml and document.py.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_yaml(document()))


def _version(path: Path) -> list[int]:
    return [int(part) for part in path.stem.removeprefix("openapi-").split(".")]
