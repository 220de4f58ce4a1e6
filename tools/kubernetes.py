"""Check deploy/kubernetes against Kubernetes' published schemas: `python tools/kubernetes.py`, which `make lint` runs.

The base's files as they are, and, where kubectl is on PATH, each overlay as `kubectl kustomize` builds it. Nothing is
asked of a cluster or of the network. Exits with 1 and a line for each fault.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

FOLDER = Path(__file__).resolve().parents[1] / "deploy" / "kubernetes"
BASE = FOLDER / "base"
OVERLAYS = sorted(path.parent for path in FOLDER.glob("*/kustomization.yaml") if path.parent != BASE)
VERSION = "1.33"  # of Kubernetes: the oldest that is maintained
FOREIGN = ("keda.sh/",)  # resources whose schemas Kubernetes does not have


def main() -> int:
    faults = list(check_base())
    if shutil.which("kubectl"):
        faults += [fault for overlay in OVERLAYS for fault in check(built(overlay), overlay.name)]
    else:
        print("kubernetes: kubectl is not on PATH, so the overlays are not built")
    print("\n".join(faults) or "kubernetes: all resources are as the schemas have them")
    return 1 if faults else 0


def check_base() -> Iterator[str]:
    for file in sorted(BASE.glob("*.yaml")):
        if file.name != "kustomization.yaml":
            yield from check(list(yaml.safe_load_all(file.read_text())), file.name)


def built(overlay: Path) -> list[dict[str, Any]]:
    """Return the resources of an overlay. Raises CalledProcessError."""
    done = subprocess.run(["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def check(resources: list[dict[str, Any]], where: str) -> Iterator[str]:
    """Yield a line for each resource that its schema refuses; a field that it does not know is a fault too."""
    for resource in resources:
        if resource["apiVersion"].startswith(FOREIGN):
            continue
        try:
            kubernetes_validate.validate(resource, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{where}: {resource['kind']} {resource['metadata']['name']}: {error.message}"


if __name__ == "__main__":
    sys.exit(main())
