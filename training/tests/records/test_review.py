"""Training in the review of a unit and a month."""

from datetime import date

import pytest
from django.template.loader import render_to_string

from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import EvaluationRun
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import SystemDefinition
from sqcore.indicators.models import IndicatorSystem
from sqcore.org.models import Unit
from sqcore.reports.evidence import Question
from sqcore.tests.factories import NOW, TODAY
from training.courses.models import Course
from training.enrolments.models import Enrolment
from training.records.review import TrainingSection
from training.requirements.services import recompute_all
from training.tests.factories import Bank, make_bank
from training.tests.requirements.making import course, passed, rule

pytestmark = pytest.mark.django_db

FEBRUARY = Period(date(2026, 2, 1), Grain.MONTH)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def talk() -> Course:
    return course("talk", certifies=False)


def asked(bank: Bank, unit: Unit, *, by: Principal) -> Question:
    tree = {
        str(bank.bank.pk): None,
        str(bank.north.pk): bank.bank.pk,
        str(bank.south.pk): bank.bank.pk,
    }
    return Question(
        unit=unit,
        period=FEBRUARY,
        system=IndicatorSystem(code="quality"),
        run=EvaluationRun(tree=tree),
        definition=SystemDefinition("quality", {"en": "Quality"}, 1, ()),
        principal=by,
        today=TODAY,
    )


def section(bank: Bank, unit: Unit, *, by: Principal) -> dict[str, object]:
    context = TrainingSection().context(asked(bank, unit, by=by))
    assert context is not None
    return dict(context)


def lines(context: dict[str, object]) -> list[tuple[str, int, int, float]]:
    courses = context["courses"]
    assert isinstance(courses, list)
    return [(each.course.code, each.people, each.passed, each.hours) for each in courses]


def test_counts_who_concluded_a_course_in_the_month_at_the_unit(bank: Bank, talk: Course) -> None:
    version = talk.versions.get()
    north = bank.north.pk
    passed(bank.li, version, date(2026, 2, 3), minutes=120, unit_id=north)
    failed = {"state": Enrolment.State.FAILED, "minutes": 60, "unit_id": north}
    passed(bank.mei, version, date(2026, 2, 20), **failed)
    passed(bank.li, version, date(2026, 1, 31), unit_id=north)
    passed(bank.chen, version, date(2026, 2, 10), unit_id=bank.south.pk)

    found = section(bank, bank.north, by=bank.as_(bank.hua))

    assert lines(found) == [("talk", 2, 1, 3.0)]
    assert lines(section(bank, bank.bank, by=bank.as_(bank.hua)))[0][:3] == ("talk", 3, 2)


def test_says_what_is_owed_today(bank: Bank, talk: Course) -> None:
    rule(talk)
    passed(bank.li, talk.versions.get(), date(2026, 2, 3), unit_id=bank.north.pk)
    recompute_all(now=NOW)

    found = section(bank, bank.north, by=bank.as_(bank.mei))

    assert (found["owed"], found["open"]) == (2, 1)
    html = render_to_string(TrainingSection.template_name, found)
    assert "Of 2 courses that people owe" in html


def test_says_that_nobody_took_part(bank: Bank) -> None:
    found = section(bank, bank.north, by=bank.as_(bank.mei))

    html = render_to_string(TrainingSection.template_name, found)
    assert "Nobody of this unit concluded a course in this period." in html
    assert "Nobody here owes a course." in html


def test_a_manager_sees_no_training_of_another_unit(bank: Bank, talk: Course) -> None:
    passed(bank.chen, talk.versions.get(), date(2026, 2, 10), unit_id=bank.south.pk)
    mei = bank.as_(bank.mei)

    assert TrainingSection().context(asked(bank, bank.south, by=mei)) is None
    assert lines(section(bank, bank.north, by=mei)) == []
