"""Questionnaires for a subject: asked once of each person, anonymous, read as figures."""

import uuid
from datetime import date, datetime, timedelta

import pytest

from sqcore.base.errors import NotFound
from sqcore.org.models import Unit
from sqcore.questionnaires.port import QuestionnaireResults, questionnaires
from sqcore.tests.factories import NOW, make_unit
from surveys.campaigns.models import Campaign
from surveys.invitations.models import Invitation
from surveys.invitations.queries import invitation_of
from surveys.invitations.services import AlreadyAnswered, submit_invitation
from surveys.responses.models import Response

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 2)
CLOSED = NOW + timedelta(days=14)
PEOPLE = ("staff:1", "staff:2", "staff:3", "staff:4", "staff:5", "staff:6")


@pytest.fixture
def branch() -> Unit:
    return make_unit("harbour")


def ask(
    branch: Unit, persons: tuple[str, ...] = PEOPLE, template: str = "training-reaction"
) -> None:
    questionnaires().open(
        subject="session:12",
        template=template,
        name={"en": "Listening"},
        unit=branch,
        persons=persons,
        opens_on=TODAY,
        closes_on=TODAY + timedelta(days=14),
        now=NOW,
    )


def link(person: str, subject: str = "session:12") -> str | None:
    return questionnaires().link_of(subject=subject, person=person, now=NOW)


def answer(person: str, value: int) -> None:
    address = link(person)
    assert address is not None
    submit_invitation(
        invitation=invitation_of(address.rsplit("/", 1)[1]),
        key=uuid.uuid4(),
        promised=Campaign.Mode.ANONYMOUS,
        answers={"relevant": value},
        language="en",
        now=NOW,
    )


def results(now: datetime = CLOSED) -> QuestionnaireResults:
    found = questionnaires().results_of(subject="session:12", now=now)
    assert found is not None
    return found


def test_opening_twice_invites_only_who_is_new(branch: Unit) -> None:
    ask(branch, PEOPLE[:2])
    ask(branch, PEOPLE[:3])

    assert Campaign.objects.get().mode == Campaign.Mode.ANONYMOUS
    assert Invitation.objects.count() == 3


def test_each_person_has_one_link_for_one_answer(branch: Unit) -> None:
    ask(branch)
    address = link(PEOPLE[0])
    assert address is not None
    answer(PEOPLE[0], 6)

    assert link(PEOPLE[0]) is None
    assert link(PEOPLE[1]) not in (None, address)
    with pytest.raises(AlreadyAnswered):
        submit_invitation(
            invitation=invitation_of(address.rsplit("/", 1)[1]),
            key=uuid.uuid4(),
            promised=Campaign.Mode.ANONYMOUS,
            answers={"relevant": 1},
            language="en",
            now=NOW,
        )
    assert Response.objects.count() == 1


def test_who_was_not_there_has_no_link(branch: Unit) -> None:
    ask(branch)

    assert link("staff:99") is None
    assert link(PEOPLE[0], subject="session:13") is None


def test_the_database_does_not_name_who_is_asked(branch: Unit) -> None:
    ask(branch)
    answer(PEOPLE[0], 6)

    assert not Invitation.objects.filter(encounter_key__contains="staff").exists()
    assert Response.objects.get().encounter_key == ""


def test_figures_wait_for_the_smallest_group(branch: Unit) -> None:
    ask(branch)
    for person, value in zip(PEOPLE[:4], (5, 6, 6, 7), strict=True):
        answer(person, value)
    few = results()
    answer(PEOPLE[4], 6)
    enough = results()

    assert (few.asked, few.answered, few.figures) == (6, None, ())
    assert (enough.asked, enough.answered) == (6, 5)
    relevant, understood, *_others = enough.figures
    assert (relevant.code, relevant.n, relevant.mean) == ("relevant", 5, 6.0)
    # s = .7071, t(4) = 2.7764: half of the interval is .8780
    assert relevant.low == pytest.approx(5.1220, abs=1e-4)
    assert relevant.high == pytest.approx(6.8780, abs=1e-4)
    assert (understood.n, understood.mean) == (0, None)


def test_figures_do_not_move_with_a_single_answer(branch: Unit) -> None:
    ask(branch)
    still_open = NOW + timedelta(days=13)
    for person in PEOPLE[:5]:
        answer(person, 6)
    five = results(now=still_open)
    answer(PEOPLE[5], 1)
    six = results(now=still_open)

    assert five == six == QuestionnaireResults(asked=6, answered=None, figures=(), is_open=True)
    closed = results()
    assert (closed.answered, closed.is_open, closed.figures[0].n) == (6, False, 6)


def test_nothing_opened_has_no_results() -> None:
    assert questionnaires().results_of(subject="session:12", now=CLOSED) is None


def test_an_unknown_template_is_refused(branch: Unit) -> None:
    with pytest.raises(NotFound, match="no questionnaire"):
        ask(branch, template="nothing-like-it")

    assert not Campaign.objects.exists()
