"""Reaction and learning: what participants said and gained, never of too few."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from sqcore.base.errors import NotFound, NotPermitted
from sqcore.questionnaires.port import questionnaires
from sqcore.tests.factories import NOW, TODAY
from training.courses.models import Session
from training.courses.queries import reaction_person, reaction_subject
from training.effect.queries import course_of, learning_of, reaction_figure, reaction_of
from training.tests.effect.making import (
    Bank,
    make_attempts,
    make_course,
    make_enrolment,
    make_session,
)

pytestmark = pytest.mark.django_db


CLOSED = NOW + timedelta(days=14)
PAIRS = [(30.0, 60.0), (40.0, 75.0), (50.0, 75.0), (40.0, 70.0), (40.0, 70.0)]


def with_tests(
    bank: Bank, session: Session, pairs: Sequence[tuple[float, float]], first: int = 0
) -> None:
    for number, (before, after) in enumerate(pairs, first):
        enrolment = make_enrolment(session, bank.staff[number], state="passed")
        make_attempts(enrolment, before=[before], test=[after])


def test_gain_is_of_the_same_people_with_its_interval(bank: Bank) -> None:
    session = make_session(bank.course, "s1")
    with_tests(bank, session, PAIRS)
    make_attempts(make_enrolment(session, bank.staff[9]), before=[10.0])

    whole, of_session = learning_of(bank.course)

    assert (whole.of, of_session.of) == (None, session)
    assert whole.gain is not None
    assert (whole.gain.n, whole.gain.before, whole.gain.after) == (5, 40.0, 70.0)
    assert whole.gain.hake == pytest.approx(0.5)
    # Gains 30 35 25 30 30: s = 3.5355, t(4) = 2.7764.
    assert whole.gain.low == pytest.approx(30 - 4.3899, abs=1e-3)
    assert of_session.gain == whole.gain


def test_first_attempt_counts_not_the_one_that_passed(bank: Bank) -> None:
    session = make_session(bank.course, "s1")
    for each in bank.staff[:5]:
        make_attempts(make_enrolment(session, each), before=[40.0], test=[50.0, 70.0, 95.0])

    gain = learning_of(bank.course)[0].gain

    assert gain is not None
    assert gain.after == 50.0


def test_what_is_left_some_time_later_is_told_apart(bank: Bank) -> None:
    session = make_session(bank.course, "s1")
    for each in bank.staff[:6]:
        make_attempts(make_enrolment(session, each), before=[40.0], test=[80.0], later=[65.0])

    kinds = [(row.kind, row.gain.after) for row in learning_of(bank.course) if row.gain]

    assert kinds == [("test", 80.0), ("later", 65.0), ("test", 80.0)]


def test_fewer_than_five_people_have_no_gain(bank: Bank) -> None:
    with_tests(bank, make_session(bank.course, "s1"), PAIRS[:4])

    assert [row.gain for row in learning_of(bank.course)] == [None, None]


def test_small_session_cannot_be_found_by_subtraction(bank: Bank) -> None:
    small, middle, large = (
        make_session(bank.course, code, on=date(2026, 1, day))
        for day, code in ((5, "small"), (6, "middle"), (7, "large"))
    )
    with_tests(bank, small, PAIRS[:3])
    with_tests(bank, middle, PAIRS, first=10)
    with_tests(bank, large, PAIRS + PAIRS[:2], first=20)

    rows = {
        row.of.code if row.of else "": row.gain and row.gain.n for row in learning_of(bank.course)
    }

    assert rows == {"": 15, "large": 7, "middle": None, "small": None}


def test_who_came_twice_counts_once(bank: Bank) -> None:
    with_tests(bank, make_session(bank.course, "s1", on=date(2026, 1, 5)), PAIRS)
    with_tests(bank, make_session(bank.course, "s2", on=date(2026, 2, 5)), [(70.0, 72.0)] * 5)

    whole = learning_of(bank.course)[0].gain

    assert whole is not None
    assert (whole.n, whole.before) == (5, 40.0)


def test_cancelled_enrolments_and_other_courses_do_not_count(bank: Bank) -> None:
    with_tests(bank, make_session(make_course("other"), "s1"), PAIRS)
    session = make_session(bank.course, "s2")
    for each in bank.staff[:5]:
        make_attempts(make_enrolment(session, each, state="cancelled"), before=[40.0], test=[80.0])

    assert learning_of(bank.course) == []


def test_learning_is_read_in_three_queries(bank: Bank, django_assert_num_queries: Any) -> None:
    for number in range(3):
        with_tests(bank, make_session(bank.course, f"s{number}"), PAIRS, first=number * 10)

    with django_assert_num_queries(3):
        assert len(learning_of(bank.course)) == 4


def asked(bank: Bank, session: Session, people: int = 6) -> None:
    questionnaires().open(
        subject=reaction_subject(session.pk),
        template="training-reaction",
        name={"en": "Listening"},
        unit=bank.north,
        persons=[reaction_person(number) for number in range(people)],
        opens_on=TODAY,
        closes_on=TODAY + timedelta(days=14),
        now=NOW,
    )


def answered(client: Client, session: Session, values: Sequence[int]) -> None:
    """Answer as participants do: by the link, on the page."""
    for number, value in enumerate(values):
        address = questionnaires().link_of(
            subject=reaction_subject(session.pk), person=reaction_person(number), now=NOW
        )
        assert address is not None
        page = client.get(address).content.decode()
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        sent = client.post(f"{address}/send", {**hidden, "relevant": str(value)})
        assert sent.status_code == 302


def test_reaction_waits_for_the_smallest_group(bank: Bank, client: Client) -> None:
    session = make_session(bank.course, "s1")
    asked(bank, session)
    with time_machine.travel(NOW, tick=False):
        answered(client, session, (5, 6, 6, 7))
    few = reaction_of(bank.course, now=CLOSED)

    assert [(each.session, each.asked, each.answered) for each in few.sessions] == [
        (session, 6, None)
    ]
    assert (few.figures, reaction_figure(few)) == ([], None)


def test_reaction_waits_until_the_questionnaire_has_closed(bank: Bank, client: Client) -> None:
    session = make_session(bank.course, "s1")
    asked(bank, session)
    with time_machine.travel(NOW, tick=False):
        answered(client, session, (5, 6, 6, 7, 6))

    early = reaction_of(bank.course, now=CLOSED - timedelta(days=1))
    (of_session,) = early.sessions
    assert (early.figures, early.is_open) == ([], True)
    assert (of_session.asked, of_session.answered, of_session.figures) == (6, None, ())
    closed = reaction_of(bank.course, now=CLOSED)
    assert (closed.figures[0].n, closed.is_open) == (5, False)


def test_page_and_rest_show_reaction_when_it_has_closed(bank: Bank, client: Client) -> None:
    session = make_session(bank.course, "s1")
    asked(bank, session)
    with time_machine.travel(NOW, tick=False):
        answered(client, session, (5, 6, 6, 7, 6))
    shown = []
    for now in (NOW, CLOSED):
        with time_machine.travel(now, tick=False):
            client.force_login(bank.mei)
            html = client.get("/training/effect/courses/listening/").content.decode()
            rest = client.get("/api/v1/courses/listening/effect").json()["reaction"]
            shown.append(("still open" in html, 'id="figure-reaction' in html, len(rest) > 0))

    assert shown == [(True, False, False), (False, True, True)]


def test_sessions_are_pooled_each_by_its_answers(bank: Bank, client: Client) -> None:
    for code, values in (("s1", (5, 6, 6, 7, 6)), ("s2", (4, 4, 5, 4, 4, 3))):
        session = make_session(bank.course, code)
        asked(bank, session, people=len(values))
        with time_machine.travel(NOW, tick=False):
            answered(client, session, values)

    reaction = reaction_of(bank.course, now=CLOSED)

    relevant = reaction.figures[0]
    assert (relevant.code, relevant.n) == ("relevant", 11)
    assert relevant.mean == pytest.approx((30 + 24) / 11)
    # Halves .8780 of 5 and .6637 of 6 answers: the root of (5 x .8780)^2 + (6 x .6637)^2, by 11.
    assert relevant.low == pytest.approx(54 / 11 - 0.5388, abs=1e-4)
    assert relevant.high == pytest.approx(54 / 11 + 0.5388, abs=1e-4)
    assert reaction_figure(reaction) is not None


def test_course_that_nobody_was_asked_about_has_no_reaction(bank: Bank) -> None:
    make_session(bank.course, "s1")

    found = reaction_of(bank.course, now=CLOSED)

    assert (found.figures, found.sessions) == ([], [])


def test_effect_of_a_course_is_for_who_sees_training(bank: Bank) -> None:
    assert course_of(bank.as_(bank.mei), "listening") == bank.course
    with pytest.raises(NotPermitted):
        course_of(bank.as_(bank.li), "listening")
    with pytest.raises(NotFound):
        course_of(bank.as_(bank.mei), "nothing")
