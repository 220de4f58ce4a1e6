"""Pin container images and CI actions to what their tags name now: `python3 tools/pin.py`, then look at `git diff`.

An image is written NAME:TAG@sha256:DIGEST, an action OWNER/NAME@COMMIT # TAG. To move to another version, change the
tag and run this. It asks the registries by `docker buildx` and GitHub by `git`, and writes nothing where one of them
does not answer. With --check it only compares, and exits with 1 where something differs.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ("Dockerfile", "deploy/docker/proxy.Dockerfile", "docker-compose.yml", ".github/workflows/ci.yml")
IMAGE = re.compile(r"(?P<tag>[\w./-]+:[\w.-]+)@(?P<pin>sha256:[0-9a-f]{64})")
ACTION = re.compile(r"(?P<name>[\w-]+/[\w-]+)@(?P<pin>[0-9a-f]{40}) # (?P<tag>v[\w.]+)")
SECONDS = 60  # time for one answer of a registry or of GitHub


def main(arguments: "list[str]") -> int:
    before = {name: (ROOT / name).read_text() for name in FILES}
    after = {name: pinned(text) for name, text in before.items()}
    changed = [name for name in FILES if before[name] != after[name]]
    if "--check" in arguments:
        print(
            "\n".join(f"{name}: a tag names something else than what is pinned" for name in changed) or "all as pinned"
        )
        return 1 if changed else 0
    for name in changed:
        (ROOT / name).write_text(after[name])
    print("\n".join(f"{name}: pinned anew" for name in changed) or "all as pinned")
    return 0


def pinned(text: str) -> str:
    """Return the text with the digest or the commit that each tag names now."""
    text = IMAGE.sub(lambda found: f"{found['tag']}@{digest(found['tag'])}", text)
    return ACTION.sub(lambda found: f"{found['name']}@{commit(found['name'], found['tag'])} # {found['tag']}", text)


def digest(image: str) -> str:
    """Return the digest of the index of all platforms."""
    answer = output("docker", "buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}").strip()
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", answer):
        sys.exit(f"docker names no digest for {image}: {answer}")
    return answer


def commit(action: str, tag: str, host: str = "https://github.com") -> str:
    """Return the commit of a tag; of an annotated one, the commit that it points to."""
    found = output("git", "ls-remote", f"{host}/{action}", f"refs/tags/{tag}", f"refs/tags/{tag}^{{}}").split()
    if not found:
        sys.exit(f"{action} has no tag {tag}")
    return found[-2]  # lines of "commit name"; the one that is pointed to is the last


def output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError:
        sys.exit(f"{command[0]} is not installed")
    except subprocess.TimeoutExpired:
        sys.exit(f"no answer within {SECONDS} s: {' '.join(command)}")
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
