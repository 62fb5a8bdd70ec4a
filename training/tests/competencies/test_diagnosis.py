"""What missing skills say for the diagnosis of a unit."""

from collections.abc import Iterator, Sequence
from datetime import date

import pytest
import time_machine

from sqcore.base.periods import Period
from sqcore.indicators.definition import SystemDefinition
from sqcore.org.models import Staff
from sqcore.reports.evidence import Evidence, Question, Says
from sqcore.tests.factories import NOW, TODAY, make_staff
from sqcore.tests.rest import make_run, make_system
from training.competencies.evidence import MissingSkills
from training.competencies.models import Competency, RequiredLevel
from training.competencies.models import Evidence as Seen
from training.tests.factories import Bank, assign, make_bank, make_competency

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def talking(bank: Bank) -> Competency:
    """Tellers need level 3 of it."""
    talking = make_competency("talking")
    RequiredLevel.objects.create(
        post=bank.teller, competency=talking, level=3, valid_from=date(2020, 1, 1)
    )
    return talking


def tellers(bank: Bank, talking: Competency, levels: Sequence[int | None]) -> None:
    for number, level in enumerate(levels):
        staff = make_staff(f"t{number}")
        assign(staff, bank.north, bank.teller)
        if level is not None:
            Seen.objects.create(
                staff=staff, competency=talking, level=level, kind=Seen.Kind.EXPERIENCE,
                on=date(2025, 6, 2), reference=f"seen-{number}", recorded_at=NOW,
            )  # fmt: skip


def said(bank: Bank, who: Staff) -> Evidence | None:
    run = make_run(make_system(), "2025-12")
    question = Question(
        unit=bank.north,
        period=Period.parse("2025-12"),
        system=run.system,
        run=run,
        definition=SystemDefinition("service", {"en": "Service"}, 1, ()),
        principal=bank.as_(who),
        today=TODAY,
    )
    return MissingSkills().speak(question)


def test_half_the_people_lacking_a_skill_speaks_for_it(bank: Bank, talking: Competency) -> None:
    """Wilson, 10 of 20: .2993 to .7007; a fifth is tolerable."""
    tellers(bank, talking, [2] * 10 + [3] * 10)

    found = said(bank, bank.mei)

    assert found is not None
    assert found.says == Says.FOR
    assert found.effect is not None
    assert found.effect.value == pytest.approx(0.3)
    assert found.effect.low == pytest.approx(0.0993, abs=1e-4)
    assert found.effect.n == 20


def test_who_was_never_assessed_is_not_known_to_lack_it(bank: Bank, talking: Competency) -> None:
    tellers(bank, talking, [None] * 16 + [3] * 4)

    found = said(bank, bank.mei)

    assert found is not None
    assert (found.says, found.effect) == (Says.NOTHING, None)


def test_a_manager_elsewhere_is_told_nothing(bank: Bank, talking: Competency) -> None:
    tellers(bank, talking, [1] * 10)

    found = said(bank, bank.chen)

    assert found is not None
    assert (found.says, found.sentence, found.effect) == (Says.NOTHING, "", None)


def test_where_no_post_needs_skills_nothing_is_said(bank: Bank) -> None:
    assert said(bank, bank.mei) is None
