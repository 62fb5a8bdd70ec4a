"""Minutes of presence, signing in with the code, and attempts at tests."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.identity.principals import system_principal
from sqcore.tests.factories import NOW
from training.courses.models import Session
from training.enrolments.models import Attempt, Attendance, Enrolment
from training.enrolments.services import (
    Presence,
    record_attempt,
    record_attendance,
    sign_in,
    sign_in_code,
)
from training.tests.factories import (
    A_DAY,
    Bank,
    course_of,
    enrolment_of,
    make_bank,
    session_of,
    teller,
)

pytestmark = pytest.mark.django_db

SYSTEM = system_principal("test")
START, END = A_DAY
NEXT_DAY = (START + timedelta(days=1), END + timedelta(days=1))
EVENING = END + timedelta(hours=3)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def session(bank: Bank) -> Session:
    """Two days at the north, held by Mei."""
    version = course_of(pass_mark=70, attempts=2)
    return session_of(version, slots=[A_DAY, NEXT_DAY], unit=bank.north, trainer=bank.mei)


def test_the_trainer_records_minutes_slot_by_slot(bank: Bank, session: Session) -> None:
    li, wang = (enrolment_of(session, person) for person in (bank.li, teller("wang", bank.north)))
    first, second = session.slots.all()
    rows = [Presence(li.pk, first.pk, 480), Presence(wang.pk, first.pk, 200)]

    changed = [
        record_attendance(session_id=session.pk, rows=rows, by=bank.as_(bank.mei), now=EVENING)
        for _twice in range(2)
    ]
    record_attendance(
        session_id=session.pk, by=SYSTEM, now=EVENING + timedelta(days=1),
        rows=[Presence(li.pk, second.pk, 60), Presence(wang.pk, first.pk, 240)],
    )  # fmt: skip

    assert changed == [2, 0]
    assert list(
        Attendance.objects.order_by("id").values_list(
            "enrolment__staff__number", "minutes", "source"
        )
    ) == [("li", 480, "trainer"), ("wang", 240, "system"), ("li", 60, "system")]
    assert list(Enrolment.objects.order_by("id").values_list("minutes", flat=True)) == [540, 240]


def test_impossible_presence_is_refused_by_row_and_nothing_is_kept(
    bank: Bank, session: Session
) -> None:
    li, waits = enrolment_of(session, bank.li), enrolment_of(
        session, teller("wang", bank.north), state="waiting", waits_since=NOW
    )  # fmt: skip
    first, second = session.slots.all()
    rows = [
        Presence(li.pk, first.pk, 480),
        Presence(li.pk, first.pk, 481),
        Presence(li.pk, first.pk, -1),
        Presence(li.pk, second.pk, 10),
        Presence(waits.pk, first.pk, 10),
        Presence(li.pk, 0, 10),
    ]

    with pytest.raises(InvalidInput) as refused:
        record_attendance(session_id=session.pk, rows=rows, by=SYSTEM, now=EVENING)

    assert [(p.row, p.field) for p in refused.value.problems] == [
        (2, "minutes"), (3, "minutes"), (4, "slot"), (5, "enrolment"), (6, "slot"),
    ]  # fmt: skip
    assert not Attendance.objects.exists()


def test_presence_is_recorded_by_the_trainer_or_planner_and_never_of_oneself(
    bank: Bank, session: Session
) -> None:
    hua = enrolment_of(session, bank.hua)
    rows = [Presence(hua.pk, session.slots.all()[0].pk, 480)]

    with pytest.raises(NotPermitted):
        record_attendance(session_id=session.pk, rows=rows, by=bank.as_(bank.chen), now=EVENING)
    with pytest.raises(InvalidInput):
        record_attendance(session_id=session.pk, rows=rows, by=bank.as_(bank.hua), now=EVENING)
    Session.objects.update(state="held")
    with pytest.raises(Conflict):
        record_attendance(session_id=session.pk, rows=rows, by=SYSTEM, now=EVENING)

    assert not Attendance.objects.exists()


def test_people_sign_in_with_the_code_that_is_shown(bank: Bank, session: Session) -> None:
    enrolment_of(session, bank.li)
    slot, at = session.slots.all()[0], START - timedelta(minutes=30)
    code, li = sign_in_code(session=session, slot=slot, now=at), bank.as_(bank.li)

    for _twice in range(2):
        sign_in(session_id=session.pk, code=f" {code.lower()} ", by=li, now=at)

    kept = Attendance.objects.get()
    assert len(code) == 6
    assert (kept.slot, kept.minutes, kept.source, kept.recorded_by) == (
        slot, 480, "sign-in", bank.li.user,
    )  # fmt: skip
    assert Enrolment.objects.get().minutes == 480


@pytest.mark.parametrize(
    "at", [START - timedelta(minutes=31), END + timedelta(minutes=31), NOW], ids=str
)
def test_the_code_opens_only_half_an_hour_around_its_slot(
    bank: Bank, session: Session, at: Any
) -> None:
    enrolment_of(session, bank.li)
    code = sign_in_code(session=session, slot=session.slots.all()[0], now=at)

    with pytest.raises(InvalidInput) as refused:
        sign_in(session_id=session.pk, code=code, by=bank.as_(bank.li), now=at)

    assert [p.field for p in refused.value.problems] == ["code"]
    assert not Attendance.objects.exists()


def test_a_code_is_worth_nothing_two_hours_later_or_in_another_slot(
    bank: Bank, session: Session
) -> None:
    enrolment_of(session, bank.li)
    first, second = session.slots.all()
    li, noon = bank.as_(bank.li), START + timedelta(hours=3)
    old = sign_in_code(session=session, slot=first, now=noon - timedelta(hours=2))
    other = sign_in_code(session=session, slot=second, now=noon)

    for code in (old, other, "", "ABCDEF"):
        with pytest.raises(InvalidInput):
            sign_in(session_id=session.pk, code=code, by=li, now=noon)
    assert not Attendance.objects.exists()

    lately = sign_in_code(session=session, slot=first, now=noon - timedelta(hours=1))
    assert sign_in(session_id=session.pk, code=lately, by=li, now=noon).slot == first


def test_who_has_no_seat_cannot_sign_in(bank: Bank, session: Session) -> None:
    wang = teller("wang", bank.north)
    enrolment_of(session, wang, state="waiting", waits_since=NOW)
    code = sign_in_code(session=session, slot=session.slots.all()[0], now=START)

    for by in (bank.as_(wang), bank.as_(bank.li), SYSTEM):
        with pytest.raises(NotPermitted):
            sign_in(session_id=session.pk, code=code, by=by, now=START)

    assert not Attendance.objects.exists()


def test_what_the_trainer_wrote_stays_when_somebody_signs_in(bank: Bank, session: Session) -> None:
    li, slot = enrolment_of(session, bank.li), session.slots.all()[0]
    record_attendance(
        session_id=session.pk, rows=[Presence(li.pk, slot.pk, 100)], by=SYSTEM, now=END
    )
    code = sign_in_code(session=session, slot=slot, now=END)

    assert sign_in(session_id=session.pk, code=code, by=bank.as_(bank.li), now=END).minutes == 100


def attempt(enrolment: Enrolment, score: str, **over: Any) -> Attempt:
    fields: dict[str, Any] = {"kind": "test", "on": date(2026, 3, 11), "by": SYSTEM}
    fields |= {"now": NEXT_DAY[1] + timedelta(minutes=10 * Attempt.objects.count())}
    return record_attempt(enrolment_id=enrolment.pk, score=Decimal(score), **{**fields, **over})


def test_attempts_are_limited_and_all_are_kept(bank: Bank, session: Session) -> None:
    li = enrolment_of(session, bank.li)
    before = date(2026, 3, 2)

    attempt(li, "40", kind="before", on=before)
    for score in ("69.99", "69.99"):
        attempt(li, score)
    with pytest.raises(Conflict) as refused:
        attempt(li, "99")
    with pytest.raises(Conflict):
        attempt(li, "50", kind="before", on=before)

    assert refused.value.message == "All 2 attempts are used."
    assert list(
        Attempt.objects.order_by("id").values_list("kind", "number", "score", "passed")
    ) == [
        ("before", 1, Decimal("40.00"), None),
        ("test", 1, Decimal("69.99"), False),
        ("test", 2, Decimal("69.99"), False),
    ]


def test_after_a_passed_test_there_is_no_other(bank: Bank, session: Session) -> None:
    li = enrolment_of(session, bank.li)

    assert attempt(li, "70").passed is True
    with pytest.raises(Conflict):
        attempt(li, "90")

    assert Attempt.objects.count() == 1


def test_a_result_sent_twice_within_a_minute_is_one_attempt(bank: Bank, session: Session) -> None:
    li, at = enrolment_of(session, bank.li), NEXT_DAY[1]

    first = attempt(li, "50", now=at)
    again = attempt(li, "50", now=at + timedelta(seconds=59))

    assert first == again
    assert Attempt.objects.count() == 1


def test_a_later_test_is_for_who_was_there_once_the_session_is_closed(
    bank: Bank, session: Session
) -> None:
    li, spring = enrolment_of(session, bank.li), date(2026, 4, 20)
    then = {"kind": "later", "on": spring, "now": NEXT_DAY[1] + timedelta(days=60)}

    with pytest.raises(Conflict):
        attempt(li, "80", **then)
    Enrolment.objects.update(state="passed")

    assert attempt(li, "80", **then).passed is None
    with pytest.raises(Conflict):
        attempt(li, "80")


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"score": "100.01"}, "score"),
        ({"score": "-1"}, "score"),
        ({"score": "NaN"}, "score"),
        ({"on": date(2026, 3, 9)}, "on"),
        ({"on": date(2026, 3, 12)}, "on"),
        ({"kind": "before", "on": date(2026, 3, 11)}, "on"),
        ({"kind": "before", "on": date(1026, 3, 1)}, "on"),
        ({"kind": "later", "on": date(2026, 3, 11)}, "on"),
        ({"kind": "magic"}, "kind"),
    ],
)
def test_impossible_results_are_refused_by_field(
    bank: Bank, session: Session, over: dict[str, Any], field: str
) -> None:
    li = enrolment_of(session, bank.li)

    with pytest.raises(InvalidInput) as refused:
        attempt(li, **{"score": "50", **over})

    assert [p.field for p in refused.value.problems] == [field]
    assert not Attempt.objects.exists()


def test_nobody_records_own_results_or_those_of_strangers(bank: Bank, session: Session) -> None:
    li, hua = enrolment_of(session, bank.li), enrolment_of(session, bank.hua)

    for enrolment, by in ((li, bank.chen), (li, bank.li), (hua, bank.hua)):
        with pytest.raises(NotPermitted):
            attempt(enrolment, "90", by=bank.as_(by))
    with pytest.raises(NotFound):
        record_attempt(
            enrolment_id=0, kind="test", score=Decimal(1), on=date(2026, 3, 11), by=SYSTEM, now=END
        )

    assert not Attempt.objects.exists()


def test_who_sees_the_code_does_not_sign_in_with_it(bank: Bank) -> None:
    session = session_of(course_of(), unit=bank.north)
    enrolment_of(session, bank.mei)
    code = sign_in_code(session=session, slot=session.slots.get(), now=START)

    with pytest.raises(NotPermitted):
        sign_in(session_id=session.pk, code=code, by=bank.as_(bank.mei), now=START)

    assert not Attendance.objects.exists()
