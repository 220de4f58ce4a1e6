"""What docker-compose.yml and its helpers promise, as far as it can be seen without Docker."""

import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ordersite.subscriptions import CONSUMERS
from testing import ROOT
from testing.processes import COMPLETE, load, run_python
from web.server import DRAIN_SECONDS

TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"secrets", "migrate"}  # services that do one thing and end
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("ordersite:")}
NEWER = {"annotations", "attach", "develop", "gpus", "models", "post_start", "pre_stop", "provider"}  # than 1.29
OF_MAKE_RUN = {"DEBUG", "DATA_DIR", "DEMO_PASSWORD", "STATIC_ROOT"}  # settings with no meaning in a container


@pytest.mark.parametrize("command", [["docker", "compose"], ["docker-compose"]], ids=" ".join)
def test_the_compose_that_is_here_takes_the_file_without_a_word(command: list[str], tmp_path: Path) -> None:
    def compose(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    if not shutil.which(command[0]) or compose("version").returncode:
        pytest.skip(f"there is no {' '.join(command)}")
    (tmp_path / "none").touch()  # in place of an .env that happens to be here
    done = compose("-f", "docker-compose.yml", "--env-file", str(tmp_path / "none"), "config", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_used_that_one_of_compose_1_29_and_2_does_not_know() -> None:
    assert {key for key in COMPOSE if not key.startswith("x-")} == {
        "services",
        "networks",
        "volumes",
    }  # `version` is obsolete
    for service in SERVICES.values():
        assert not NEWER & service.keys()
        assert service.get("healthcheck", {}).keys() <= {"test", "interval", "timeout", "retries", "start_period"}
        assert all(wait.keys() == {"condition"} for wait in service.get("depends_on", {}).values())


def test_the_image_of_ours_is_built_once_and_asked_of_no_registry() -> None:
    assert {name for name, service in SERVICES.items() if "build" in service} == {"secrets", "proxy"}
    assert {SERVICES[name].get("pull_policy") for name in OURS} == {"never"}


@pytest.mark.parametrize("queue", [*CONSUMERS, "maintenance"])
def test_every_queue_has_its_worker(queue: str) -> None:
    service = SERVICES[f"worker-{queue}"]
    assert f" worker -Q {queue} " in service["command"]
    assert service["healthcheck"]["test"][-1] == "worker"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE))
def test_what_runs_long_comes_back_and_tells_its_health(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_file_that_a_container_of_ours_runs_is_in_the_image(name: str) -> None:
    service = SERVICES[name]
    run = " ".join([str(service.get("command", "")), *service.get("healthcheck", {}).get("test", [])])
    taken = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for file in re.findall(r"[\w/]+\.(?:py|json)", run):
        assert (ROOT / file).is_file()
        assert any(file == path or file.startswith(f"{path}/") for path in taken), file


def test_the_image_has_every_package_but_those_of_a_developer() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    taken = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert taken & {path.parent.name for path in ROOT.glob("*/__init__.py")} == set(packages) - {
        "benchmarks",
        "local",
        "testing",
    }


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_fills_the_disk_with_its_log(name: str) -> None:
    assert set(SERVICES[name]["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", sorted(OURS - ONCE))
def test_our_processes_wait_for_the_schema(name: str) -> None:
    assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_only_the_proxy_and_flower_can_be_reached_and_from_this_machine_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"proxy", "flower"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert "network_mode: host" not in TEXT


def test_any_number_of_a_process_can_run() -> None:
    assert "container_name" not in TEXT
    assert "hostname:" not in TEXT  # the name of a worker, which its health check asks for, is made of it


def test_secrets_come_from_files_only() -> None:
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD|SECRET|AUTH|TOKEN_|DATABASE_URL|BROKER_URL", name) and name != "TOKEN_DAYS":
                assert name.endswith("_FILE")
                assert value.startswith("/secrets/")


@pytest.mark.parametrize("file", ["docker-compose.yml", "Dockerfile", "docs/docker.md", ".env.example"])
def test_no_url_carries_a_password(file: str) -> None:
    found = re.findall(r"://[^\s/@:]*:([^\s/@]+)@", (ROOT / file).read_text())
    assert set(found) <= {"password"}  # of the examples


def test_every_setting_of_the_example_reaches_the_processes() -> None:
    listed = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)) - OF_MAKE_RUN
    given = {name.removesuffix("_FILE") for service in SERVICES.values() for name in service.get("environment", {})}
    assert listed - given - set(re.findall(r"\$\{([A-Z_]+)", TEXT)) == set()


def test_a_setting_comes_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    files = {}
    for name, text in (COMPLETE | {"SECRET_KEY": f"${COMPLETE['SECRET_KEY']}"}).items():
        (tmp_path / name).write_text(text + "\n")
        files[f"{name}_FILE"] = str(tmp_path / name)
    read = "import ordersite.settings as s; print(s.SECRET_KEY, s.BROKER_URL, s.DATABASES['default']['NAME'])"
    done = run_python("-c", read, **files)
    assert done.stderr == ""
    assert done.stdout.split() == [f"${COMPLETE['SECRET_KEY']}", COMPLETE["BROKER_URL"], "nothing"]


@pytest.mark.parametrize("name", [*COMPLETE, "EMAIL_URL"])
def test_a_file_that_is_not_there_is_one_clear_line(name: str) -> None:
    done = run_python("-c", "import ordersite.settings", **(COMPLETE | {f"{name}_FILE": "/nowhere"}))
    assert done.returncode == 1
    assert done.stderr == f"ordersite: {name}_FILE=/nowhere cannot be read: No such file or directory.\n"


def test_cookies_are_for_https_unless_that_is_given_up_in_words() -> None:
    def secure(**environment: str) -> str:
        read = "import ordersite.settings as s; print(s.SESSION_COOKIE_SECURE)"
        return run_python("-c", read, **(COMPLETE | environment)).stdout.strip()

    assert secure() == "True"
    assert secure(INSECURE_COOKIES="1") == "False"
    assert secure(INSECURE_COOKIES="1", BEHIND_TLS_PROXY="1") == "True"


@pytest.mark.parametrize("text", [None, "", "no-colon"])
def test_flower_does_not_start_without_the_password_that_it_is_to_have(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "FLOWER_BASIC_AUTH"
    if text is not None:
        file.write_text(text)
    command = "-m celery -q -A ordersite flower --port=1"
    done = run_python(*command.split(), **(COMPLETE | {"FLOWER_BASIC_AUTH_FILE": str(file)}))
    assert done.returncode == 1
    assert done.stderr.startswith(f"flower: FLOWER_BASIC_AUTH_FILE={file} ")
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def make_secrets(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, without the giving away of files that only root can do."""
    module = load("deploy/docker/make_secrets.py")
    monkeypatch.setattr(module.os, "chown", lambda *_: None)
    monkeypatch.setattr(module.os, "umask", lambda _: 0o022)
    return module


def test_the_secrets_are_made_once(make_secrets: ModuleType, tmp_path: Path) -> None:
    make_secrets.main(tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    make_secrets.main(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == made
    assert made.keys() == make_secrets.READERS.keys() - set(make_secrets.BROUGHT)
    for path in tmp_path.iterdir():
        of_ours = make_secrets.READERS[path.name] == make_secrets.APPLICATION
        assert stat.S_IMODE(path.stat().st_mode) == (0o440 if of_ours else 0o400)
    assert len(set(made.values())) == len(made)


def test_what_was_brought_stays_and_the_rest_fits_it(make_secrets: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "postgres-password").write_text("brought\n")
    (tmp_path / "redis.conf").write_text("requirepass brought-too\n")
    (tmp_path / "SECRET_KEY").write_text("mine")
    make_secrets.main(tmp_path)
    assert (tmp_path / "DATABASE_OWNER_URL").read_text() == "postgres://ordersite:brought@postgres:5432/ordersite\n"
    assert (tmp_path / "BROKER_URL").read_text() == "redis://:brought-too@redis:6379/0\n"
    assert (tmp_path / "SECRET_KEY").read_text() == "mine"


def test_a_database_url_that_is_there_migrates_too(make_secrets: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "DATABASE_URL").write_text("postgres://mine@elsewhere/shop\n")
    make_secrets.main(tmp_path)
    assert (tmp_path / "DATABASE_OWNER_URL").read_text() == "postgres://mine@elsewhere/shop\n"
    assert (tmp_path / "DATABASE_URL").read_text() == "postgres://mine@elsewhere/shop\n"


def test_every_secret_that_may_be_brought_gets_its_reader(make_secrets: ModuleType) -> None:
    files = {name.removesuffix("_FILE") for one in SERVICES.values() for name in one.get("environment", {})}
    brought = {name for name in files if name.endswith(("_URL", "_API", "_KEY", "_AUTH", "_TOKENS"))}
    known = {"GRPC_TLS_KEY", "FLOWER_URL", "LOGS_URL"}  # a path, and no secrets
    assert brought - known <= make_secrets.READERS.keys()


def test_only_migrate_has_the_url_of_the_tables_owner(make_secrets: ModuleType) -> None:
    uid, gid = SERVICES["migrate"]["user"].split(":")
    assert (int(uid), int(gid)) == (make_secrets.READERS["DATABASE_OWNER_URL"], make_secrets.APPLICATION)
    assert [name for name, service in SERVICES.items() if "DATABASE_OWNER_URL" in str(service)] == ["migrate"]


def test_the_servers_with_the_data_reach_nobody_outside_and_mailpit_reaches_neither() -> None:
    assert COMPOSE["networks"]["data"]["internal"] is True
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["data"]
    assert "networks" not in SERVICES["mailpit"]
    for name in OURS - {"secrets"}:
        assert SERVICES[name]["networks"] == ["default", "data"]


def test_one_web_is_replaced_after_the_other_and_serves_on_until_the_proxy_knows() -> None:
    first, second, proxy = (SERVICES[name] for name in ("web", "web-2", "proxy"))
    assert second["depends_on"]["web"] == {"condition": "service_healthy"}
    assert second["environment"] == first["environment"]
    linger = first["environment"]["WEB_LINGER"]
    (look,) = re.findall(r"check inter (\d+)s", (ROOT / "deploy/haproxy/haproxy.cfg").read_text())
    assert int(look) < linger
    assert int(first["stop_grace_period"].removesuffix("s")) > linger + DRAIN_SECONDS
    assert {proxy["environment"][name] for name in ("WEB_1", "WEB_2")} == {"web:8000", "web-2:8000"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"secrets"}))
def test_no_container_takes_the_whole_machine(name: str) -> None:
    assert {"mem_limit", "pids_limit"} <= SERVICES[name].keys()
    # Not over 1 by itself: Docker starts no container that asks for more processors than there are.
    assert name == "postgres" or SERVICES[name]["cpus"] in (1, "${PROCESS_CPUS:-1}")


@pytest.mark.parametrize("process", ["worker", "relay"])
def test_without_a_process_the_health_check_says_so_in_a_line(process: str) -> None:
    nowhere = {"DATABASE_URL": COMPLETE["DATABASE_URL"], "BROKER_URL": COMPLETE["BROKER_URL"]}
    done = run_python("deploy/healthy.py", process, **nowhere)
    assert done.returncode == 1
    assert done.stderr == ""
    assert "OperationalError" in done.stdout


def test_every_health_check_of_ours_is_one_that_there_is() -> None:
    checks = load("deploy/healthy.py").CHECKS
    for name in OURS - ONCE:
        assert SERVICES[name]["healthcheck"]["test"][:-1] == ["CMD", "python", "deploy/healthy.py"]
        assert SERVICES[name]["healthcheck"]["test"][-1] in checks
