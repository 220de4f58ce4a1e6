"""What all processes of a running system have logged."""

from tests.journeys.client import Api, call
from tests.journeys.system import FLOWER_AUTH, GRPC_TOKEN, PASSWORD, System


def test_no_process_has_logged_a_secret(system: System, ada: Api) -> None:
    ada.order("TEA-ASSAM-100")
    url, wrong = f"{system.web}/api/v1/auth/token", {"email": "ada@example.com", "password": "wrong-journey-word"}
    assert call("POST", url, wrong).status == 401
    assert (
        call("GET", f"{system.web}/api/v1/orders?token={ada.token}", Authorization=f"Bearer {ada.token}x").status == 401
    )
    logged = (system.folder / "run.log").read_text()
    assert "Unauthorized" in logged
    ours = [PASSWORD, FLOWER_AUTH.partition(":")[2], GRPC_TOKEN, system.environment["SECRET_KEY"]]
    secrets = [*ours, wrong["password"], ada.token]
    assert not [secret for secret in secrets if secret in logged]
