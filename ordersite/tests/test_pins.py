"""Container images and CI actions are pinned: a tag that is moved changes nothing here."""

import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from ordersite.tests.test_docker_files import SERVICES
from testing import ROOT
from testing.processes import load

EXACT = re.compile(r"[\w./-]+:v?\d+\.\d+\.?\d*[\w.-]*@sha256:[0-9a-f]{64}")  # PostgreSQL's have two numbers
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.fixture
def pin() -> ModuleType:
    return load("tools/pin.py")


def test_every_image_of_others_is_an_exact_version_with_a_digest() -> None:
    files = [(ROOT / name).read_text() for name in ("Dockerfile", "deploy/docker/proxy.Dockerfile")]
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?", "\n".join(files), re.MULTILINE)
    ours = {name for _, name in stages}
    images = {image for image, _ in stages} | {service["image"] for service in SERVICES.values()}
    others = {image for image in images - ours if not image.endswith(":${ORDERSITE_TAG:-latest}")}
    assert len(others) == 4
    assert [image for image in others if not EXACT.fullmatch(image)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_action_is_a_commit_with_its_version(file: Path, pin: ModuleType) -> None:
    used = re.findall(r"uses: (.+)", file.read_text())
    assert used
    assert [action for action in used if not pin.ACTION.fullmatch(action)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_no_runner_is_whatever_is_newest(file: Path) -> None:
    assert "latest" not in {
        job["runs-on"].rpartition("-")[2] for job in yaml.safe_load(file.read_text())["jobs"].values()
    }


def test_make_pin_finds_everything_that_is_pinned(pin: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pin, "digest", lambda tag: f"sha256:{'0' * 64}")
    monkeypatch.setattr(pin, "commit", lambda name, tag: "0" * 40)
    for name in pin.FILES:
        text = (ROOT / name).read_text()
        now = pin.pinned(text)
        assert now != text
        assert not re.search(r"@(?:sha256:)?(?!0{40})[0-9a-f]{40}", now)


@pytest.mark.parametrize("annotated", [False, True])
def test_an_actions_tag_is_the_commit_that_it_points_to(pin: ModuleType, tmp_path: Path, annotated: bool) -> None:
    def git(*arguments: str) -> str:
        by = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@localhost",
            "-c",
            "tag.gpgSign=false",
            "-c",
            "commit.gpgSign=false",
        ]
        done = subprocess.run(["git", *by, *arguments], cwd=tmp_path / "a", capture_output=True, text=True, check=True)
        return done.stdout.strip()

    (tmp_path / "a").mkdir()
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "first")
    git("tag", "v1.2.3", *(["-m", "annotated"] if annotated else []))
    assert pin.commit("a", "v1.2.3", str(tmp_path)) == git("rev-parse", "HEAD")
    with pytest.raises(SystemExit, match=r"a has no tag v9"):
        pin.commit("a", "v9", str(tmp_path))


def test_without_an_answer_nothing_is_written(pin: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="git ls-remote"):
        pin.commit("none", "v1", str(tmp_path))
    with pytest.raises(SystemExit, match="no-such-program is not installed"):
        pin.output("no-such-program")
