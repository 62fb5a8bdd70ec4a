"""An improvement asks for training, and hears how far it has come."""

from datetime import date

import pytest

from improvement.actions.models import Action
from improvement.actions.services import add_action
from improvement.tests.factories import make_bank, make_ticket
from improvement.tickets.models import State
from sqcore.base.bus import drain
from sqcore.org.models import Assignment
from sqcore.tests.factories import NOW, TODAY, make_post, make_staff
from training.needs.models import Need
from training.needs.services import meet_needs
from training.tests.factories import make_competency
from training.tests.needs.making import make_course_version

pytestmark = pytest.mark.django_db


def test_needs_of_an_action_are_met_and_the_action_shows_how_many() -> None:
    bank, talk, post = make_bank(), make_competency("communication"), make_post()
    course = make_course_version(teaches=talk).course
    people = [make_staff(number) for number in ("ann", "bob", "cho")]
    for person in people:
        Assignment.objects.create(
            staff=person, unit=bank.north, post=post, valid_from=date(2020, 1, 1)
        )
    ticket = make_ticket(bank.north, State.DO, owner=bank.mei)

    add_action(
        ticket_id=ticket.pk,
        kind="training",
        text="Say how long it takes",
        owner_id=bank.mei.pk,
        due_on=TODAY,
        competency="communication",
        people_ids=[person.pk for person in people],
        by=bank.as_(bank.mei),
        now=NOW,
    )
    drain(now=NOW)
    assert Need.objects.filter(competency=talk, state="open").count() == 3
    for person in people[:2]:
        meet_needs(staff_id=person.pk, course=course.code, now=NOW)
    drain(now=NOW)

    action = Action.objects.get()
    assert (action.trained, action.to_train) == (2, 3)
