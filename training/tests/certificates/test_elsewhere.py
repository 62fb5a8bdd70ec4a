"""Training had elsewhere: claimed with evidence, decided by another person, handed out safely."""

from datetime import date
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.principals import Principal
from sqcore.notices.models import Notice
from sqcore.tests.factories import NOW, TODAY
from training.certificates.files import LARGEST, handed_out
from training.certificates.models import Certificate, ExternalTraining
from training.certificates.queries import externals_seen_by
from training.certificates.services import claim_external, decide_external
from training.competencies.models import Evidence
from training.courses.models import Taught
from training.enrolments.sources import has_passed
from training.tests.factories import Bank, course_of, make_bank, make_competency, teller

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def claim(bank: Bank, by: Principal | None = None, **over: Any) -> ExternalTraining:
    fields: dict[str, Any] = {
        "staff_id": bank.li.pk,
        "course": None,
        "title": "Sign language, basics",
        "provider": "Evening school",
        "ended_on": date(2026, 2, 20),
        "minutes": 900,
        "cost": 30000,
        "file_name": "scan.pdf",
        "content": PDF,
        "by": by or bank.as_(bank.li),
        "now": NOW,
    }
    return claim_external(**{**fields, **over})


def decide(bank: Bank, external: ExternalTraining, **over: Any) -> ExternalTraining:
    fields: dict[str, Any] = {"approve": True, "why": "", "by": bank.as_(bank.hua), "now": NOW}
    return decide_external(external_id=external.pk, **{**fields, **over})


def test_a_claim_waits_with_its_evidence_and_is_there_once(bank: Bank) -> None:
    first, again = claim(bank), claim(bank)

    assert first == again
    kept = ExternalTraining.objects.get()
    assert (kept.state, kept.evidence_name, kept.evidence_type, bytes(kept.evidence or b"")) == (
        "claimed", "scan.pdf", "application/pdf", PDF,
    )  # fmt: skip
    assert kept.claimed_by == bank.li.user
    assert AuditEntry.objects.filter(action="external.claimed").count() == 1


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"ended_on": date(2026, 3, 3)}, "ended_on"),
        ({"ended_on": date(1026, 3, 3)}, "ended_on"),
        ({"minutes": 0}, "minutes"),
        ({"cost": -1}, "cost"),
        ({"title": " "}, "title"),
        ({"provider": ""}, "provider"),
        ({"content": None}, "evidence"),
        ({"content": b""}, "evidence"),
        ({"content": b"<html><script>alert(1)</script>"}, "evidence"),
        ({"content": b"MZ\x90\x00"}, "evidence"),
        ({"content": PDF + b"0" * LARGEST}, "evidence"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_claim_that_cannot_be_taken_is_refused_by_field(
    bank: Bank, over: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        claim(bank, **over)

    assert [p.field for p in refused.value.problems] == [field]
    assert not ExternalTraining.objects.exists()


def test_nobody_claims_for_strangers(bank: Bank) -> None:
    with pytest.raises(NotPermitted):
        claim(bank, by=bank.as_(bank.chen))

    assert not ExternalTraining.objects.exists()
    assert claim(bank, by=bank.as_(bank.mei), content=None).claimed_by == bank.mei.user


def test_an_approved_claim_counts_as_the_course_with_its_certificate(bank: Bank) -> None:
    version, words = course_of(certifies=True, valid_months=12), make_competency()
    Taught.objects.create(course=version.course, competency=words, level=2)
    external = claim(bank)

    for _twice in range(2):
        decide(bank, external, course=version.course)

    certificate = Certificate.objects.get()
    assert (certificate.external, certificate.issued_on, certificate.expires_on) == (
        external, date(2026, 2, 20), date(2027, 2, 20),
    )  # fmt: skip
    evidence = Evidence.objects.get()
    assert (evidence.level, evidence.on, evidence.expires_on) == (
        2, date(2026, 2, 20), date(2027, 2, 20),
    )  # fmt: skip
    completed = OutboxEvent.objects.get(kind="training.course.completed").payload
    assert (completed["enrolment_id"], completed["external_id"]) == (None, external.pk)
    assert [notice.title["en"] for notice in Notice.objects.filter(reader=bank.li.user)] == [
        "Your training elsewhere counts: Sign language, basics"
    ]
    assert has_passed([bank.li.pk], [version.course_id], on=TODAY) == {
        (bank.li.pk, version.course_id)
    }


def test_without_a_certificate_it_counts_as_having_passed_for_ever(bank: Bank) -> None:
    course = course_of().course

    decide(bank, claim(bank, course=course))

    assert not Certificate.objects.exists()
    assert has_passed([bank.li.pk], [course.pk], on=TODAY) == {(bank.li.pk, course.pk)}


def test_another_person_decides(bank: Bank) -> None:
    of_hua = claim(bank, by=bank.as_(bank.hua), staff_id=bank.hua.pk)
    for_li = claim(bank, by=bank.as_(bank.hua))

    for external, by, refusal in (
        (of_hua, bank.hua, NotPermitted),
        (for_li, bank.hua, NotPermitted),
        (for_li, bank.mei, NotPermitted),
        (for_li, bank.li, NotPermitted),
        (for_li, bank.chen, NotFound),
    ):
        with pytest.raises(refusal):
            decide(bank, external, by=bank.as_(by))

    assert set(ExternalTraining.objects.values_list("state", flat=True)) == {"claimed"}
    assert not Notice.objects.exists()
    assert not OutboxEvent.objects.exists()


def test_a_refusal_has_its_reason_and_leaves_room_for_a_better_claim(bank: Bank) -> None:
    external = claim(bank)

    with pytest.raises(InvalidInput):
        decide(bank, external, approve=False)
    decide(bank, external, approve=False, why="The scan cannot be read")
    with pytest.raises(Conflict):
        decide(bank, external)
    better = claim(bank)

    assert better.pk != external.pk
    states = ExternalTraining.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["rejected", "claimed"]
    assert Notice.objects.get().body == {"en": "The scan cannot be read"}


def test_evidence_leaves_as_a_download_only(bank: Bank) -> None:
    external = claim(bank, file_name="../../x\u202e<b>.html", content=b"\x89PNG\r\n\x1a\n....")

    response = handed_out(ExternalTraining.objects.get(pk=external.pk))

    assert response["Content-Type"] == "image/png"
    assert response["Content-Disposition"] == 'attachment; filename="xb.html.png"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    bare = claim(bank, by=bank.as_(bank.mei), title="Other", content=None)
    with pytest.raises(NotFound):
        handed_out(bare)


def test_the_list_takes_one_query_and_leaves_the_files_where_they_are(
    bank: Bank, django_assert_num_queries: Any
) -> None:
    wang = teller("wang", bank.north)
    claim(bank)
    claim(bank, by=bank.as_(wang), staff_id=wang.pk)
    mei, chen = bank.as_(bank.mei), bank.as_(bank.chen)

    with django_assert_num_queries(1):
        seen = [(each.staff.number, each.title) for each in externals_seen_by(mei, on=TODAY)]

    assert len(seen) == 2
    assert list(externals_seen_by(chen, on=TODAY)) == []
    assert externals_seen_by(mei, on=TODAY).query.deferred_loading[0] == {"evidence"}
