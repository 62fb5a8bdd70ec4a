"""The OpenAPI document: valid, up to date, and true of what is really answered."""

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
import yaml
from django.test import Client
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

from sqcore.access.views import openapi_document
from sqcore.identity.permissions import Permission
from sqcore.indicators.models import Dimension, Indicator, WeightedIndicator
from sqcore.org.models import Assignment, Unit
from sqcore.tests.factories import (
    NOW,
    TODAY,
    make_channel,
    make_post,
    make_segment,
    make_staff,
    make_unit,
)
from sqcore.tests.rest import get, make_key, make_run, make_system, make_value, post
from surveys.campaigns.models import Campaign
from surveys.tests.factories import make_campaign

ROOT = Path(__file__).resolve().parents[1]
CHECKED_IN = ROOT / "docs" / "api" / "openapi.yaml"
P = Permission


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(openapi_document("json"))
    return found


def test_it_is_valid() -> None:
    validate(document())


def test_the_one_that_is_checked_in_is_up_to_date() -> None:
    assert openapi_document("yaml").decode() == CHECKED_IN.read_text(), "run: make openapi"


def test_both_forms_say_the_same() -> None:
    assert yaml.safe_load(openapi_document("yaml")) == document()


def test_every_operation_names_its_problems() -> None:
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            expected = {"400", "401", "403", "429"}
            if "{" in path:
                expected |= {"404"}
            if method == "post":
                expected |= {"413", "415"}
            if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ())):
                expected |= {"409", "422"}
            assert expected <= set(operation["responses"]), (method, path)
            for status in expected:
                media = set(operation["responses"][status]["content"])
                assert media == {"application/problem+json"}, (method, path, status)


def test_every_parameter_and_field_is_declared_by_name() -> None:
    text = CHECKED_IN.read_text()

    assert "additionalProperties: {}" not in re.sub(r"answers:\n(.*\n){1,4}", "", text)


@pytest.fixture
def _bank(db: None) -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        root = make_unit("bank")
        north = make_unit("north", parent=root)
        make_channel("counter")
        make_segment("private")
        staff = make_staff("100")
        Assignment.objects.create(
            staff=staff, unit=north, post=make_post(), valid_from=date(2024, 1, 1)
        )
        system = make_system()
        indicator = Indicator.objects.create(
            code="care",
            name={"en": "Care"},
            source="surveys",
            parameters={"instrument": "visit", "measure": "item:overall"},
        )
        dimension = Dimension.objects.create(
            version=system.versions.get(), code="empathy", name={"en": "Empathy"}, weight=1
        )
        WeightedIndicator.objects.create(
            dimension=dimension, indicator=indicator, weight=1, worst=1, best=7
        )
        run = make_run(system, "2026-01")
        make_value(run, north, value=5.5, low=5.0, high=6.0, kind="indicator", code="care")
        make_value(run, root, status="suppressed", reason="small")
        make_campaign("visits", mode=Campaign.Mode.IDENTIFIED, opens_on=TODAY - timedelta(days=9))
        yield


GETS = [
    "",
    "organisation",
    "units?page_size=1",
    "units/north",
    "channels",
    "segments",
    "staff",
    "indicators",
    "indicators/care",
    "systems",
    "systems/service",
    "kpi-values",
    "runs",
    "campaigns",
    "campaigns/visits",
]


@pytest.mark.usefixtures("_bank")
@pytest.mark.parametrize("path", GETS)
def test_an_answer_is_what_the_document_says(path: str) -> None:
    everything = (P.VIEW_RESULTS, P.VIEW_ORGANISATION, P.VIEW_PEOPLE, P.SUBMIT_RESPONSES)
    response = get(path, make_key(*everything, units=[Unit.objects.get(code="bank")]))

    assert response.status_code == 200, response.content
    template = re.sub(r"/(north|care|service|visits)$", "/{code}", path.partition("?")[0])
    check(json.loads(response.content), f"/api/v1/{template}", "get", "200")


@pytest.mark.usefixtures("_bank")
def test_what_was_received_is_what_the_document_says() -> None:
    body = {"unit": "north", "answered_on": TODAY.isoformat(), "answers": {"p1": 6}}

    response = post("campaigns/visits/responses", body, make_key(P.SUBMIT_RESPONSES))

    check(json.loads(response.content), "/api/v1/campaigns/{code}/responses", "post", "201")


@pytest.mark.usefixtures("_bank")
@pytest.mark.parametrize(
    ("path", "status"), [("kpi-values?x=1", "400"), ("units", "401"), ("staff", "403")]
)
def test_a_problem_is_what_the_document_says(path: str, status: str) -> None:
    key = "" if status == "401" else make_key(P.VIEW_RESULTS)

    response = get(path, key)

    assert response.status_code == int(status)
    check(json.loads(response.content), f"/api/v1/{path.partition('?')[0]}", "get", status)


def check(body: Any, path: str, method: str, status: str) -> None:
    """Validate a body by the schema of its answer, and see that it has no field beyond it."""
    whole = document()
    content = whole["paths"][path][method]["responses"][status]["content"]
    (schema,) = (media["schema"] for media in content.values())
    components = {name: _closed(one) for name, one in whole["components"]["schemas"].items()}
    closed = {**schema, "components": {"schemas": components}}
    Draft202012Validator(closed, format_checker=FormatChecker()).validate(body)


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "additionalProperties": False} if "properties" in schema else schema


@pytest.mark.django_db
class TestPages:
    def test_the_document_is_served_without_log_in(self) -> None:
        assert Client().get("/api/v1/schema/").content == openapi_document("yaml")
        assert Client().get("/api/v1/schema/openapi.json").content == openapi_document("json")

    def test_the_page_needs_nothing_from_outside(self) -> None:
        response = Client().get("/api/v1/docs/")

        page = response.content.decode()
        assert response.status_code == 200
        assert not re.search(r'(src|href)="(https?:)?//', page)
        assert "<script>" not in page

    def test_the_page_relaxes_styles_and_nothing_else(self) -> None:
        usual = _policy(Client().get("/api/v1/schema/")["Content-Security-Policy"])
        docs = _policy(Client().get("/api/v1/docs/")["Content-Security-Policy"])

        assert docs.pop("style-src") == {"'self'", "'unsafe-inline'"}
        assert "'unsafe-inline'" not in usual.pop("style-src")
        assert docs == usual


def _policy(header: str) -> dict[str, set[str]]:
    directives = (directive.split() for directive in header.split(";"))
    return {name: set(values) for name, *values in directives}
