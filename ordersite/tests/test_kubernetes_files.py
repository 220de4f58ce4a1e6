"""What deploy/kubernetes promises, as far as it can be seen without a cluster."""

import re
import shutil
from typing import Any

import pytest
import yaml

from ordersite.subscriptions import CONSUMERS
from ordersite.tests.test_docker_files import SERVICES
from testing import ROOT
from testing.api import client_of
from testing.processes import load
from web.server import DRAIN_SECONDS

checks = load("tools/kubernetes.py")
FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = [overlay.name for overlay in checks.OVERLAYS]
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")
RESOURCES = [one for file in sorted((FOLDER / "base").glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]
PROCESSES = {one["metadata"]["name"]: one for one in RESOURCES if one["kind"] in ("Deployment", "Job")}


def container(resource: dict[str, Any]) -> dict[str, Any]:
    (only,) = resource["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def variables(one: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(one).get("env", [])}


@pytest.fixture(scope="module", params=OVERLAYS)
def built(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    resources: list[dict[str, Any]] = checks.built(FOLDER / request.param)
    return resources


def test_there_are_two_overlays() -> None:
    assert OVERLAYS == ["production", "small"]


def test_the_base_is_as_the_schemas_have_it_and_a_wrong_field_is_told() -> None:
    assert list(checks.check_base()) == []
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}}
    (told,) = checks.check([wrong], "a file")
    assert told.startswith("a file: Service x: ")
    assert "prots" in told


@needs_kubectl
def test_each_overlay_is_as_the_schemas_have_it(built: list[dict[str, Any]]) -> None:
    assert list(checks.check(built, "overlay")) == []


@needs_kubectl
def test_every_process_is_shut_in_and_has_its_secrets_as_files(built: list[dict[str, Any]]) -> None:
    processes = [one for one in built if one["kind"] in ("Deployment", "Job")]
    assert {one["metadata"]["name"] for one in processes} == set(PROCESSES)
    for one in processes:
        pod, process = one["spec"]["template"]["spec"], container(one)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10_001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
        assert process["securityContext"]["readOnlyRootFilesystem"] is True
        assert process["securityContext"]["allowPrivilegeEscalation"] is False
        assert process["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert process["image"] == "registry.example.com/ordersite:1"
        assert process["resources"]["limits"]["memory"]
        assert {"DATABASE_URL_FILE", "BROKER_URL_FILE", "SECRET_KEY_FILE"} <= variables(one).keys()
        mounted = [mount["mountPath"] for mount in process["volumeMounts"]]
        for name, value in variables(one).items():
            if name.endswith("_FILE"):
                assert any(value.startswith(f"{path}/") for path in mounted), (one["metadata"]["name"], name)


@needs_kubectl
def test_only_migrate_signs_in_as_the_tables_owner(built: list[dict[str, Any]]) -> None:
    urls = {
        one["metadata"]["name"]: variables(one)["DATABASE_URL_FILE"]
        for one in built
        if one["kind"] in ("Deployment", "Job")
    }
    assert urls.pop("migrate") == "/owner/DATABASE_URL"
    assert set(urls.values()) == {"/secrets/DATABASE_URL"}


@needs_kubectl
def test_every_setting_is_one_that_there_is(built: list[dict[str, Any]]) -> None:
    known = set(re.findall(r"^# ([A-Z_0-9]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    known |= {"PROCESS_KIND", "FLOWER_PERSISTENT", "FLOWER_DB", "FLOWER_STATE_SAVE_INTERVAL", "GRPC_ADDRESS"}
    given = {name for one in built if one["kind"] in ("Deployment", "Job") for name in variables(one)}
    given |= {name for one in built if one["kind"] == "ConfigMap" for name in one["data"]}
    assert {name.removesuffix("_FILE") for name in given} - known == set()


@needs_kubectl
def test_what_migrate_needs_is_applied_with_it(built: list[dict[str, Any]]) -> None:
    first = {one["kind"] for one in built if one["metadata"].get("labels", {}).get("ordersite/step") == "migrate"}
    assert first == {"Job", "ConfigMap", "ServiceAccount"}


@pytest.mark.parametrize("name", [*SERVICES])
def test_each_process_of_ours_is_there_with_the_command_of_compose(name: str) -> None:
    service = SERVICES[name]
    if not service["image"].startswith("ordersite:") or name in ("secrets", "web", "web-2"):
        pytest.skip("of containers alone, or the image's own command")
    assert " ".join(container(PROCESSES[name])["command"]) == service["command"]


def test_the_web_is_started_as_the_image_does() -> None:
    (command,) = re.findall(r"^CMD (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert container(PROCESSES["web"])["command"] == yaml.safe_load(command)


def test_grace_periods_are_as_long_as_those_of_compose() -> None:
    for name, process in PROCESSES.items():
        if name not in ("migrate", "web", "beat", "flower", "relay"):
            compose = int(SERVICES[name].get("stop_grace_period", "10s").removesuffix("s"))
            assert process["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == compose
    web = PROCESSES["web"]["spec"]["template"]["spec"]
    assert web["terminationGracePeriodSeconds"] > float(variables(PROCESSES["web"])["WEB_LINGER"]) + DRAIN_SECONDS


def test_every_queue_has_its_worker_and_there_is_one_beat() -> None:
    assert {f"worker-{queue}" for queue in (*CONSUMERS, "maintenance")} <= PROCESSES.keys()
    beat = PROCESSES["beat"]["spec"]
    assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})


def test_workers_scale_by_a_metric_that_there_is() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    scaled = list(yaml.safe_load_all((FOLDER / "production" / "scaling.yaml").read_text()))
    for one in scaled:
        name = one["spec"]["scaleTargetRef"]["name"]
        query = one["spec"]["triggers"][0]["metadata"]["query"]
        metric, queue = re.fullmatch(r'max\((\w+)\{queue="(\w+)"\}\)', query).groups()  # type: ignore[union-attr]
        assert name == f"worker-{queue}"
        assert f"| `{metric}` | queue |" in page


@needs_kubectl
def test_what_scales_has_no_number_that_an_apply_would_set_back() -> None:
    built = checks.built(FOLDER / "production")
    targets = {one["spec"]["scaleTargetRef"]["name"] for one in built if "scaleTargetRef" in one.get("spec", {})}
    fixed = {one["metadata"]["name"] for one in built if one["kind"] == "Deployment" and "replicas" in one["spec"]}
    assert len(targets) == 6
    assert targets & fixed == set()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_a_probe_is_answered_whatever_host_it_names(path: str) -> None:
    assert client_of().get(path, headers={"host": "10.1.2.3:8000"}).status_code == 200
