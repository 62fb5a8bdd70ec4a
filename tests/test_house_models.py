"""House rules about foreign keys: they point down, and never at what is purged or partitioned."""

from collections.abc import Iterator

from django.apps import apps
from django.db.models import Field, Model

from tests.house import APPS

ROOMS = {
    "sqcore": (
        "base",
        "identity",
        ("dashboards", "audit", "notices", "jobs"),
        "webhooks",
        "files",
        "org",
        "access",
        "indicators",
        "weighting",
        "measurements",
        "achievements",
        "encounters",
        "evaluation",
        "monitoring",
        "performance",
        ("comparators", "publication"),
        "reports",
        "demo",
    ),
    "surveys": (
        *("text", "instruments", "campaigns", "responses", "invitations", "imports"),
        *("analyses", ("validation", "drivers", "gaps", "representation", "churn")),
    ),
    "training": (
        "competencies",
        "courses",
        "enrolments",
        "certificates",
        "requirements",
        "needs",
        "effect",
        "incentives",
        "records",
    ),
    "improvement": ("tickets", ("actions", "diagnosis"), ("verification", "standards"), "cycle"),
}
KEYED_ONLY = {"Response", "Encounter", "Observation"}
"""Rows that may be purged, erased or partitioned; others carry their key."""


def _links() -> Iterator[tuple[type[Model], "Field[object, object]", type[Model]]]:
    for app in APPS:
        for model in apps.get_app_config(app).get_models(include_auto_created=True):
            for field in model._meta.get_fields():
                if isinstance(field, Field) and field.remote_field is not None:
                    target = field.related_model
                    assert isinstance(target, type)
                    yield model, field, target


def _height(model: type[Model]) -> int:
    app, room = model.__module__.split(".")[:2]
    return next(
        level
        for level, names in enumerate(ROOMS[app])
        if room == names or (isinstance(names, tuple) and room in names)
    )


def test_foreign_keys_stay_in_their_app_or_point_to_the_ground_floor() -> None:
    wrong = [
        f"{model.__name__}.{field.name} -> {target.__name__}"
        for model, field, target in _links()
        if target._meta.app_label in APPS
        and target._meta.app_label not in {model._meta.app_label, "sqcore"}
    ]

    assert wrong == []


def test_foreign_keys_point_down_the_rooms() -> None:
    wrong = [
        f"{model.__name__}.{field.name} -> {target.__name__}"
        for model, field, target in _links()
        if target._meta.app_label == model._meta.app_label
        and not model._meta.auto_created
        and _height(target) > _height(model)
    ]

    assert wrong == []


def test_nothing_has_a_foreign_key_to_a_response_an_encounter_or_an_observation() -> None:
    wrong = [
        f"{model.__name__}.{field.name} -> {target.__name__}"
        for model, field, target in _links()
        if target.__name__ in KEYED_ONLY
    ]

    assert wrong == []


def test_every_model_comes_from_a_room() -> None:
    wrong = [
        model.__name__
        for app in APPS
        for model in apps.get_app_config(app).get_models()
        if not model.__module__.endswith(".models") or model.__module__.count(".") != 2
    ]

    assert wrong == []
