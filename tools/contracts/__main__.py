"""Write contracts/, docs/errors.md and the stubs of gRPC from the code."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")
django.setup()

from rest.openapi.document import VERSION  # noqa: E402 - settings first
from tools.contracts.asyncapi import CONTRACT as EVENTS  # noqa: E402
from tools.contracts.contract import Contract  # noqa: E402
from tools.contracts.openapi import CONTRACT as API  # noqa: E402
from tools.contracts.proto import CONTRACT as GRPC  # noqa: E402

CONTRACTS = (API, EVENTS, GRPC)
RELEASED = Path("contracts/released")
SCHEMAS = Path("contracts/events")


def main(arguments: Sequence[str]) -> None:
    """Write the files; with --check, hold them against the code, and the contracts against the last released ones.

    Ends the process where something is wrong.
    """
    parser = ArgumentParser(prog="make contracts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where something is wrong")
    parser.add_argument("--release", action="store_true", help="keep the contracts as those of this version")
    options = parser.parse_args(arguments)
    root = Path(settings.BASE_DIR)
    if options.check:
        if problems := [*different(root), *(line for contract in CONTRACTS for line in broken(root, contract))]:
            sys.exit("\n".join(problems))
    elif options.release:
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
    """Keep the contracts as those of this version. Ends the process where that was released."""
    kept = {root / RELEASED / f"{contract.name}-{VERSION}{contract.suffix}": contract for contract in CONTRACTS}
    if any(path.exists() for path in kept):
        sys.exit(f"{VERSION} was released. Give the next one its number, in pyproject.toml and document.py.")
    for path, contract in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contract.text())


if __name__ == "__main__":
    main(sys.argv[1:])
