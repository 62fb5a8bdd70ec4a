from dataclasses import replace
from datetime import date

import pytest
from django.db import DatabaseError, connection, transaction

from sqcore.achievements.models import NEVER_CHANGED, Achievement, Kind
from sqcore.achievements.queries import achievements_of, achievements_seen_by
from sqcore.achievements.services import record_achievement, reverse_achievement
from sqcore.base.bus import deliver_event, publish
from sqcore.base.events import (
    AwardGranted,
    CertificateIssued,
    CertificateRevoked,
    EffectVerified,
    Event,
    TrainingCompleted,
)
from sqcore.base.models import OutboxEvent
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Scope, system_principal
from sqcore.org.models import Assignment, Staff
from sqcore.tests.factories import NOW, TODAY, make_post, make_principal, make_staff, make_unit

pytestmark = pytest.mark.django_db


def tell(event: Event) -> None:
    """Publish the event and let every handler hear it."""
    publish(event, now=NOW)
    deliver_event(OutboxEvent.objects.latest("id").pk, now=NOW)


def record(staff: Staff, reference: str, *, on: date = TODAY) -> bool:
    return record_achievement(
        staff_id=staff.pk,
        kind=Kind.COURSE,
        title={"en": "Cash handling"},
        on=on,
        reference=reference,
        now=NOW,
    )


def standing() -> list[tuple[str, str]]:
    return list(Achievement.objects.standing().order_by("id").values_list("kind", "reference"))


class TestWriting:
    def test_the_same_thing_is_written_once(self) -> None:
        li = make_staff("0007")

        assert [record(li, "enrolment:1"), record(li, "enrolment:1")] == [True, False]
        assert standing() == [("course", "enrolment:1")]

    def test_what_was_taken_back_no_longer_stands_and_stays_on_record(self) -> None:
        li = make_staff("0007")
        record(li, "enrolment:1")

        done = [
            reverse_achievement(reference="enrolment:1", reason="wrong person", now=NOW)
            for _ in range(2)
        ]

        assert done == [True, False]
        assert standing() == []
        back = Achievement.objects.get(reference="enrolment:1/back")
        assert (back.reverses.reference, back.reason) == ("enrolment:1", "wrong person")  # type: ignore[union-attr]  # it is there
        assert not record(li, "enrolment:1")

    def test_what_is_not_there_cannot_be_taken_back(self) -> None:
        assert not reverse_achievement(reference="enrolment:9", reason="x", now=NOW)
        assert Achievement.objects.count() == 0


class TestReading:
    def test_of_these_people_and_these_days_alone(self) -> None:
        li, chen = make_staff("0007"), make_staff("0008")
        record(li, "enrolment:1", on=date(2026, 1, 1))
        record(li, "enrolment:2", on=date(2026, 3, 31))
        record(li, "enrolment:3", on=date(2026, 4, 1))
        record(chen, "enrolment:4", on=date(2026, 1, 1))

        found = achievements_of([li.pk], date(2026, 1, 1), date(2026, 4, 1))

        assert [each.reference for each in found] == ["enrolment:1", "enrolment:2"]

    def test_a_manager_sees_those_of_who_works_there_now(self) -> None:
        north, south = make_unit("north"), make_unit("south")
        li, chen, post = make_staff("0007"), make_staff("0008"), make_post()
        for staff, unit in ((li, north), (chen, south)):
            Assignment.objects.create(staff=staff, unit=unit, post=post, valid_from=TODAY)
            record(staff, f"enrolment:{staff.number}")
        mei = make_principal({Permission.VIEW_TRAINING: Scope(units=frozenset({north.pk}))})

        seen = achievements_seen_by(mei, on=TODAY)

        assert [each.staff for each in seen] == [li]
        assert achievements_seen_by(system_principal(), on=TODAY).count() == 2


class TestEvents:
    def test_a_certificate_counts_until_it_is_revoked(self) -> None:
        li = make_staff("0007")
        tell(CertificateIssued(5, li.pk, "cash", "2026-02-01", {"en": "Cash handling"}))
        assert standing() == [("certificate", "certificate:5")]

        tell(CertificateRevoked(5, li.pk, "cash", "forged"))

        assert standing() == []

    def test_a_revocation_that_is_heard_before_the_certificate_holds(self) -> None:
        li = make_staff("0007")
        tell(CertificateRevoked(5, li.pk, "cash", "forged"))
        tell(CertificateIssued(5, li.pk, "cash", "2026-02-01", {"en": "Cash handling"}))

        assert standing() == []
        assert Achievement.objects.count() == 2

    def test_a_course_and_an_award_count(self) -> None:
        li = make_staff("0007")
        tell(TrainingCompleted(3, li.pk, "cash", "2026-02-01", {"en": "Cash handling"}))
        tell(AwardGranted(8, li.pk, "quarter", "2026-02-03", {"en": "Bonus"}))

        assert standing() == [("course", "enrolment:3"), ("award", "award:8")]

    def test_a_verified_improvement_counts_once_a_ticket_for_each_who_did_it(self) -> None:
        li, chen = make_staff("0007"), make_staff("0008")
        first = EffectVerified(12, 1, "improved", "2026-02-01", (chen.pk, li.pk, li.pk))
        tell(first)
        tell(replace(first, check_id=2))

        assert standing() == [
            ("improvement", f"improvement:12:{li.pk}"),
            ("improvement", f"improvement:12:{chen.pk}"),
        ]
        assert Achievement.objects.first().title["en"] == "Verified improvement T-12"  # type: ignore[union-attr]  # it is there

    @pytest.mark.parametrize("verdict", ["no_change", "worse", "inconclusive"])
    def test_what_did_not_improve_counts_for_nobody(self, verdict: str) -> None:
        li = make_staff("0007")
        tell(EffectVerified(12, 1, verdict, "2026-02-01", (li.pk,)))

        assert Achievement.objects.count() == 0


class TestTriggers:
    def test_are_all_there_after_all_migrations(self) -> None:
        assert NEVER_CHANGED.present(connection) == NEVER_CHANGED.expected(connection.vendor)

    @pytest.mark.parametrize("act", ["UPDATE {} SET kind = kind", "DELETE FROM {}", "TRUNCATE {}"])
    def test_refuse_to_change_what_was_achieved(self, act: str) -> None:
        if act.startswith("TRUNCATE") and connection.vendor == "sqlite":
            pytest.skip("SQLite has no TRUNCATE")
        record(make_staff("0007"), "enrolment:1")
        connection.check_constraints()  # now, so that no later check stands before TRUNCATE

        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            connection.cursor().execute(act.format("sqcore_achievement"))

        assert standing() == [("course", "enrolment:1")]
