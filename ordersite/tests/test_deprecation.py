"""A view that is going away says so on every answer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from inventory.tests.shop import make_product
from inventory.views import ProductView
from ordersite.openapi.document import document
from ordersite.tests.limiting import Limits, client_at, limits, somewhere
from users.tests.api import client_of, make_user
from users.views import MeView

__all__ = ["limits"]

ME = "/api/v1/users/me"
pytestmark = pytest.mark.django_db


@pytest.fixture
def deprecated(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has GET and PATCH /users/me go away."""
    monkeypatch.setattr(MeView, "deprecated_at", datetime(2027, 1, 1, tzinfo=UTC), raising=False)
    return monkeypatch


def test_answers_and_errors_tell_since_when(deprecated: Any) -> None:
    for answer in (client_of(make_user()).get(ME), client_of().get(ME), client_of().delete(ME)):
        assert answer["Deprecation"] == "@1798761600"
        assert "Sunset" not in answer


def test_a_limit_and_a_precondition_that_are_not_met_tell_it_too(deprecated: Any, limits: Limits) -> None:
    deprecated.setattr(ProductView, "deprecated_at", datetime(2027, 1, 1, tzinfo=UTC), raising=False)
    make_product("CUP")
    refused = client_of().get("/api/v1/products/CUP", HTTP_IF_MATCH='"another"')
    limits(address=1)
    stranger = client_at(somewhere())
    answers = [refused, *(stranger.get(ME) for _ in range(2))]
    assert [(answer.status_code, answer["Deprecation"]) for answer in answers] == [
        (status, "@1798761600") for status in (412, 401, 429)
    ]


def test_they_tell_the_end_and_what_takes_its_place(deprecated: Any) -> None:
    deprecated.setattr(MeView, "sunset_at", datetime(2027, 7, 1, tzinfo=UTC), raising=False)
    deprecated.setattr(MeView, "deprecation_link", "/api/docs#/accounts/getMeV2", raising=False)
    answer = client_of(make_user()).get(ME)
    assert answer["Sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
    assert answer["Link"] == '</api/docs#/accounts/getMeV2>; rel="deprecation"; type="text/html"'


def test_the_document_tells_it_too(deprecated: Any) -> None:
    paths = document()["paths"]
    assert paths[ME]["get"]["deprecated"] is True
    assert "deprecated" not in paths["/api/v1/products"]["get"]


def test_what_stays_says_nothing() -> None:
    answer = client_of(make_user()).get(ME)
    assert not {"Deprecation", "Sunset", "Link"} & set(answer.headers)
