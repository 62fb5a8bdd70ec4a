"""Evidence of skills: who may record it, which one counts, and what it is compared with."""

from datetime import date, timedelta
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.principals import system_principal
from sqcore.tests.factories import NOW, TODAY, make_post
from training.competencies.models import Competency, Evidence, RequiredLevel
from training.competencies.queries import (
    Gap,
    gaps_of,
    held_levels,
    own_words,
    required_of,
    standings_of,
)
from training.competencies.services import (
    install_seed_competencies,
    record_evidence,
    require_level,
    save_competency,
    withdraw_evidence,
)
from training.tests.factories import Bank, assign, make_bank, make_competency, require, show

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def talk() -> Competency:
    return make_competency("communication")


def record(bank: Bank, competency: Competency, **over: Any) -> Evidence:
    """Mei assesses Li: independent, today."""
    fields: dict[str, Any] = {
        "staff": bank.li,
        "level": 2,
        "kind": "assessment",
        "on": TODAY,
        "text": "Calmed an angry customer.",
        "by": bank.as_(bank.mei),
        "now": NOW,
    }
    return record_evidence(competency=competency, **{**fields, **over})


# The frame ---------------------------------------------------------------------------------------


def test_six_competencies_are_installed_once_in_two_languages(bank: Bank) -> None:
    hua = bank.as_(bank.hua)

    assert install_seed_competencies(now=NOW, by=hua) == 6
    assert install_seed_competencies(now=NOW, by=hua) == 0

    found = Competency.objects.order_by("position")
    assert [each.code for each in found] == [
        "service-awareness",
        "communication",
        "professional-knowledge",
        "emotion",
        "teamwork",
        "learning",
    ]
    assert all(set(each.name) == set(each.description) == {"en", "zh-hans"} for each in found)
    assert found[2].measures == ["servqual/assurance"]


def test_a_manager_does_not_change_the_frame_of_all(bank: Bank) -> None:
    with pytest.raises(NotPermitted):
        save_competency(code="sales", name={"en": "Sales"}, by=bank.as_(bank.mei), now=NOW)

    assert not Competency.objects.exists()


def test_a_competency_without_a_name_is_refused_by_its_field(bank: Bank) -> None:
    with pytest.raises(InvalidInput) as refused:
        save_competency(code="no name", name={}, by=bank.as_(bank.hua), now=NOW)

    assert {problem.field for problem in refused.value.problems} == {"code", "name"}


def test_a_new_required_level_ends_the_one_before(bank: Bank, talk: Competency) -> None:
    hua, spring = bank.as_(bank.hua), date(2026, 4, 1)
    fields: dict[str, Any] = {"post": bank.teller, "competency": talk, "by": hua, "now": NOW}
    require_level(level=2, valid_from=date(2025, 1, 1), **fields)

    require_level(level=3, valid_from=spring, **fields)

    rows = RequiredLevel.objects.order_by("valid_from").values_list("level", "valid_to")
    assert list(rows) == [(2, spring), (3, None)]
    assert required_of([bank.li.pk], on=TODAY) == {(bank.li.pk, talk.pk): 2}
    assert required_of([bank.li.pk], on=spring) == {(bank.li.pk, talk.pk): 3}


def test_a_level_before_the_one_that_is_set_is_refused(bank: Bank, talk: Competency) -> None:
    hua = bank.as_(bank.hua)
    fields: dict[str, Any] = {"post": bank.teller, "competency": talk, "by": hua, "now": NOW}
    require_level(level=2, valid_from=TODAY, **fields)

    with pytest.raises(InvalidInput):
        require_level(level=3, valid_from=TODAY - timedelta(days=1), **fields)

    assert RequiredLevel.objects.get().level == 2


def test_level_zero_ends_what_a_post_needs(bank: Bank, talk: Competency) -> None:
    require(bank.teller, talk, 2)

    require_level(
        post=bank.teller, competency=talk, level=0, valid_from=TODAY, by=bank.as_(bank.hua), now=NOW
    )

    assert RequiredLevel.objects.get().valid_to == TODAY
    assert required_of([bank.li.pk], on=TODAY) == {}


# Recording ---------------------------------------------------------------------------------------


def test_the_manager_records_what_was_seen(bank: Bank, talk: Competency) -> None:
    evidence = record(bank, talk)

    assert held_levels([bank.li.pk], on=TODAY) == {(bank.li.pk, talk.pk): 2}
    entry = AuditEntry.objects.get(action="evidence.recorded")
    assert entry.details == {
        "evidence": evidence.pk,
        "competency": "communication",
        "level": 2,
        "kind": "assessment",
    }
    event = OutboxEvent.objects.get(kind="training.competency.shown")
    assert (event.payload["staff_id"], event.payload["level"]) == (bank.li.pk, 2)


def test_what_one_says_of_oneself_never_counts(bank: Bank, talk: Competency) -> None:
    record(bank, talk, kind="self", level=4, by=bank.as_(bank.li))

    assert held_levels([bank.li.pk], on=TODAY) == {}
    assert own_words([bank.li.pk], on=TODAY) == {(bank.li.pk, talk.pk): 4}
    assert not OutboxEvent.objects.exists()


@pytest.mark.parametrize(
    ("who", "about", "kind"),
    [
        ("chen", "li", "assessment"),
        ("li", "li", "assessment"),
        ("mei", "mei", "assessment"),
        ("mei", "li", "self"),
        ("mei", "mei", "experience"),
        ("chen", "li", "course"),
    ],
)
def test_nobody_assesses_oneself_or_people_elsewhere(
    bank: Bank, talk: Competency, who: str, about: str, kind: str
) -> None:
    with pytest.raises(NotPermitted):
        record(bank, talk, staff=getattr(bank, about), kind=kind, by=bank.as_(getattr(bank, who)))

    assert not Evidence.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("on", TODAY + timedelta(days=1)),
        ("on", date(2019, 12, 31)),
        ("expires_on", TODAY),
        ("level", 5),
        ("text", " "),
    ],
)
def test_impossible_evidence_is_refused_by_its_field(
    bank: Bank, talk: Competency, field: str, value: Any
) -> None:
    with pytest.raises(InvalidInput) as refused:
        record(bank, talk, **{field: value})

    assert [problem.field for problem in refused.value.problems] == [field]
    assert not Evidence.objects.exists()


def test_the_same_reference_is_kept_once(bank: Bank, talk: Competency) -> None:
    once: dict[str, Any] = {"kind": "course", "reference": "enrolment:1", "text": ""}
    first = record(bank, talk, by=system_principal(), **once)

    again = record(bank, talk, by=system_principal(), **once)

    assert again == first
    assert Evidence.objects.count() == OutboxEvent.objects.count() == 1
    with pytest.raises(Conflict):
        record(bank, talk, staff=bank.mei, by=system_principal(), **once)


def test_withdrawn_evidence_stays_and_counts_no_longer(bank: Bank, talk: Competency) -> None:
    evidence = record(bank, talk)

    withdraw_evidence(
        evidence_id=evidence.pk, why="Another person.", by=bank.as_(bank.mei), now=NOW
    )

    assert held_levels([bank.li.pk], on=TODAY) == {}
    assert Evidence.objects.get().withdrawn_why == "Another person."
    with pytest.raises(Conflict):
        withdraw_evidence(evidence_id=evidence.pk, why="Again.", by=bank.as_(bank.mei), now=NOW)


def test_one_does_not_withdraw_what_others_saw(bank: Bank, talk: Competency) -> None:
    evidence = record(bank, talk)

    with pytest.raises(NotPermitted):
        withdraw_evidence(evidence_id=evidence.pk, why="No.", by=bank.as_(bank.li), now=NOW)
    with pytest.raises(NotFound):
        withdraw_evidence(evidence_id=evidence.pk, why="No.", by=bank.as_(bank.chen), now=NOW)

    assert Evidence.objects.get().withdrawn_at is None


# What counts -------------------------------------------------------------------------------------


def test_the_newest_assessment_is_the_level_held(bank: Bank, talk: Competency) -> None:
    show(bank.li, talk, 3, on=date(2025, 1, 1))
    show(bank.li, talk, 2, on=date(2026, 1, 1))
    show(bank.li, talk, 4, on=TODAY + timedelta(days=1))

    assert held_levels([bank.li.pk], on=TODAY) == {(bank.li.pk, talk.pk): 2}
    assert held_levels([bank.li.pk], on=date(2025, 6, 1)) == {(bank.li.pk, talk.pk): 3}


def test_a_course_below_the_level_held_takes_nothing_away(bank: Bank, talk: Competency) -> None:
    show(bank.li, talk, 3, on=date(2025, 1, 1))
    show(bank.li, talk, 2, on=date(2026, 1, 1), kind="course")

    assert held_levels([bank.li.pk], on=TODAY) == {(bank.li.pk, talk.pk): 3}


def test_what_is_over_counts_no_longer_but_what_was_shown_before_does(
    bank: Bank, talk: Competency
) -> None:
    show(bank.li, talk, 1, on=date(2024, 1, 1))
    show(bank.li, talk, 3, on=date(2025, 1, 1), kind="certificate", expires_on=TODAY)
    show(bank.mei, talk, 3, on=date(2025, 1, 1), kind="certificate", expires_on=TODAY)

    people = [bank.li.pk, bank.mei.pk]
    assert held_levels(people, on=TODAY) == {(bank.li.pk, talk.pk): 1}
    assert held_levels(people, on=TODAY - timedelta(days=1)) == {
        (bank.li.pk, talk.pk): 3,
        (bank.mei.pk, talk.pk): 3,
    }
    assert standings_of(people, on=TODAY)[bank.mei.pk, talk.pk].level is None


def test_gaps_are_what_the_most_demanding_post_needs_beyond_what_is_held(
    bank: Bank, talk: Competency
) -> None:
    adviser, team = make_post("adviser"), make_competency("teamwork")
    assign(bank.li, bank.north, adviser)
    require(bank.teller, talk, 2)
    require(adviser, talk, 4)
    require(adviser, team, 1)
    show(bank.li, talk, 2)

    with_three = gaps_of([bank.li.pk], on=TODAY)

    assert with_three == {
        (bank.li.pk, talk.pk): Gap(required=4, held=2, seen_on=date(2026, 1, 1)),
        (bank.li.pk, team.pk): Gap(required=1, held=None, seen_on=None),
    }
    assert with_three[bank.li.pk, talk.pk].missing == 2
