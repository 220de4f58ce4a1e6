"""`manage.py contracts`: what the code promises, as files that a review can read."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from events.asyncapi.contract import CONTRACT as EVENTS
from rest.contract import Contract
from rest.openapi.contract import CONTRACT as API
from rest.openapi.document import VERSION
from rpc.contract import CONTRACT as GRPC

CONTRACTS = (API, EVENTS, GRPC)
RELEASED = Path("contracts/released")
SCHEMAS = Path("contracts/events")


class Command(BaseCommand):
    """Writes the files; with --check, holds them against the code, and the contracts against the last released ones."""

    help = "Write contracts/, docs/errors.md and the stubs of gRPC from the code."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail where something is wrong")
        parser.add_argument("--release", action="store_true", help="keep the contracts as those of this version")

    def handle(self, *args: Any, **options: Any) -> None:
        root = Path(settings.BASE_DIR)
        if options["check"]:
            problems = [*different(root), *(line for contract in CONTRACTS for line in broken(root, contract))]
            if problems:
                raise CommandError("\n".join(problems))
        elif options["release"]:
            release(root)
        else:
            for path, text in made().items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)


def made() -> dict[Path, str]:
    return {path: text for contract in CONTRACTS for path, text in contract.made().items()}


def different(root: Path) -> list[str]:
    wanted = made()
    changed = [
        f"{path} is not what the code says. `make contracts` writes it anew; read the difference, then commit it."
        for path, text in wanted.items()
        if not (root / path).is_file() or (root / path).read_text() != text
    ]
    there = {path.relative_to(root) for path in (root / SCHEMAS).glob("*.json")}
    return changed + [f"{path} is of no event any more: delete it." for path in sorted(there - wanted.keys())]


def broken(root: Path, contract: Contract) -> list[str]:
    """Return what breaks readers of the last release of a contract, if there is one."""
    released = sorted(
        (root / RELEASED).glob(f"{contract.name}-*{contract.suffix}"),
        key=lambda path: [int(part) for part in path.stem.partition("-")[2].split(".")],
    )
    if not released:
        return []
    found = contract.breaks(released[-1].read_text())
    head = f"This breaks clients of {released[-1].name}. Keep it, and put the new beside it: docs/versioning.md."
    return [head, *(f"  {line}" for line in found)] if found else []


def release(root: Path) -> None:
    """Keep the contracts as those of this version. Raises CommandError where that was released."""
    kept = {root / RELEASED / f"{contract.name}-{VERSION}{contract.suffix}": contract for contract in CONTRACTS}
    if any(path.exists() for path in kept):
        raise CommandError(f"{VERSION} was released. Give the next one its number, in pyproject.toml and document.py.")
    for path, contract in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contract.text())
