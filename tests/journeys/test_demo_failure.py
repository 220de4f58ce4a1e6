"""`make demo-failure` beside the running system."""

from local.settings import write_environment
from tests.journeys.system import System

NEEDED = ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "FLOWER_BASIC_AUTH")


def test_it_shows_the_retries_the_dead_letter_and_the_replay(system: System) -> None:
    write_environment(system.folder, {name: system.environment[name] for name in NEEDED})
    told = system.run("-m", "local.demo_failure", WEB_PORT=port(system.web), FLOWER_PORT=port(system.flower_url))
    for line in (
        "attempt 2 failed",
        "is confirmed",
        "Flower says FAILURE",
        "deadletters replay",
        "Flower says SUCCESS",
    ):
        assert line in told
    assert not (system.folder / "mail-answer").exists()
    assert system.sql("SELECT handler FROM events_delivery WHERE state = 'dead'") == []


def port(url: str) -> str:
    return url.rsplit(":", 1)[1]
