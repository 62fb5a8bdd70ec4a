"""What every address of the REST interface does with what it cannot take."""

import json
import logging
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from sqcore.base.memory import ShortMemory
from sqcore.identity.permissions import Permission
from sqcore.tests.rest import get, make_key, post

pytestmark = pytest.mark.django_db

ADDRESS = "campaigns/visits/responses"


def problem(response: HttpResponse, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(response.content)
    assert found["status"] == status
    assert found["type"] == f"urn:sqcore:problem:{found['code']}"
    return found


class TestProblems:
    def test_no_log_in(self) -> None:
        response = get("units")

        assert problem(response, 401)["code"] == "not_authenticated"
        assert response["WWW-Authenticate"] == 'Bearer realm="sqcore"'

    @pytest.mark.parametrize("header", ["Bearer ", "Bearer x", "bearer sq_a_b", "Bearer sq_\x7f_"])
    def test_a_wrong_token(self, header: str) -> None:
        response = Client().get("/api/v1/units", headers={"Authorization": header})

        assert problem(response, 401)["code"] == "authentication_failed"  # type: ignore[arg-type]  # the test client's own kind

    def test_another_scheme_is_nobody(self) -> None:
        response = Client().get("/api/v1/units", headers={"Authorization": "Basic YTpi"})

        assert problem(response, 401)["code"] == "not_authenticated"  # type: ignore[arg-type]  # the test client's own kind

    def test_a_missing_permission_is_named(self) -> None:
        found = problem(get("staff", make_key(Permission.VIEW_RESULTS)), 403)

        assert "See staff and their assignments" in found["detail"]

    @pytest.mark.parametrize("path", ["nothing", "units/", "kpi-values/7", "../v2/units"])
    def test_an_address_that_is_not_there(self, path: str) -> None:
        assert problem(get(path), 404)["code"] == "not_found"

    @pytest.mark.parametrize("method", ["put", "patch", "delete", "post"])
    def test_a_method_that_is_not_there(self, method: str) -> None:
        key = make_key(Permission.VIEW_ORGANISATION)
        client = Client(headers={"Authorization": f"Bearer {key}"})

        response = getattr(client, method)("/api/v1/units")

        assert problem(response, 405)["code"] == "method_not_allowed"
        assert response["Allow"] == "GET, HEAD, OPTIONS"

    @pytest.mark.parametrize(
        "media_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", ""]
    )
    def test_a_media_type_that_is_not_json(self, media_type: str) -> None:
        client = Client(
            headers={"Authorization": f"Bearer {make_key(Permission.SUBMIT_RESPONSES)}"}
        )

        response = client.post(f"/api/v1/{ADDRESS}", "{}", content_type=media_type)

        assert problem(response, 415)["code"] == "unsupported_media_type"  # type: ignore[arg-type]  # the test client's own kind

    def test_another_wish_for_the_answer_gets_json(self) -> None:
        response = get("", make_key(Permission.VIEW_RESULTS), Accept="text/html")

        assert response["Content-Type"] == "application/json"

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{", 400),
            (b"[]", 400),
            (b'{"a":' + b"[" * 199 + b"]" * 199 + b"}", 400),
            (b"[" * 100_000, 400),
            (b'{"a": "\\u0000"}', 400),
            (b'{"a": "\\ud800"}', 400),
            (b'{"a": NaN}', 400),
            (b'{"a": "' + b"x" * 1_000_000 + b'"}', 413),
        ],
    )
    def test_a_body_that_cannot_be_taken(self, body: bytes, status: int) -> None:
        client = Client(
            headers={"Authorization": f"Bearer {make_key(Permission.SUBMIT_RESPONSES)}"}
        )

        response = client.post(f"/api/v1/{ADDRESS}", body, content_type="application/json")

        problem(response, status)  # type: ignore[arg-type]  # the test client's own kind

    @pytest.mark.parametrize("path", ["units/%00", "units/..%2f", "units/" + "x" * 5000])
    def test_an_address_with_rubbish_in_it(self, path: str) -> None:
        problem(get(path, make_key(Permission.VIEW_ORGANISATION)), 404)

    def test_a_bug_is_not_hidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_args: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("sqcore.org.api.organisation", broken)

        client = Client(raise_request_exception=False)
        key = make_key(Permission.VIEW_ORGANISATION)

        answer = client.get("/api/v1/organisation", headers={"Authorization": f"Bearer {key}"})

        assert problem(answer, 500)["code"] == "server_error"  # type: ignore[arg-type]  # the test client's own kind
        with pytest.raises(ZeroDivisionError):
            get("organisation", key)


class TestLimits:
    def test_a_token_waits_when_it_asks_too_often(self, settings: Any) -> None:
        settings.API_LIMITS = {"read": 3, "write": 1, "refused": 60}
        key = make_key(Permission.VIEW_RESULTS)

        statuses = [get("", key).status_code for _ in range(4)]

        assert statuses == [200, 200, 200, 429]
        response = get("", key)
        assert problem(response, 429)["code"] == "throttled"
        assert 1 <= int(response["Retry-After"]) <= 61
        assert get("", make_key(Permission.VIEW_RESULTS)).status_code == 200

    def test_writing_has_its_own_limit(self, settings: Any) -> None:
        settings.API_LIMITS = {"read": 100, "write": 1, "refused": 60}
        key = make_key(Permission.SUBMIT_RESPONSES)

        assert [post(ADDRESS, {}, key).status_code for _ in range(2)] == [404, 429]

    def test_an_address_that_tries_tokens_waits(self, settings: Any) -> None:
        settings.API_LIMITS = {"read": 100, "write": 100, "refused": 2}

        assert [get("", f"sq_abc_{n}").status_code for n in range(3)] == [401, 401, 429]


def test_a_refusal_is_logged_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="sqcore.api"):
        get("units%0Aforged", make_key(Permission.VIEW_RESULTS))
        get("staff", "sq_abc_secretsecret")

    (line,) = (record.getMessage() for record in caplog.records if record.name == "sqcore.api")
    assert line == "refused GET /api/v1/staff to anonymous from 127.0.0.1: 401"


def test_nothing_that_a_token_read_is_kept_by_caches() -> None:
    assert "no-store" in get("", make_key(Permission.VIEW_RESULTS))["Cache-Control"]


class TestShortMemory:
    def test_keeps_for_its_seconds_only(self) -> None:
        now = [0.0]
        memory: ShortMemory[str, int] = ShortMemory(seconds=30, clock=lambda: now[0])
        memory.put("a", 1)

        now[0] = 29.9
        assert memory.get("a") == 1
        now[0] = 30.0
        assert memory.get("a") is None

    def test_never_holds_more_than_its_entries(self) -> None:
        memory: ShortMemory[int, int] = ShortMemory(seconds=30, entries=3)

        for number in range(10):
            memory.put(number, number)

        assert sum(memory.get(number) is not None for number in range(10)) <= 3
        assert memory.get(9) == 9
