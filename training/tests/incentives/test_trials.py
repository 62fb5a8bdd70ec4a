from datetime import date
from typing import Any

import pytest

from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.org.models import Assignment, Staff, Terms
from training.incentives.models import Scheme, SchemeVersion, Trial
from training.incentives.queries import schemes_seen_by, trial_picture
from training.incentives.schemes import (
    publish_version,
    review_trial,
    save_scheme,
    switch_off,
    switch_on,
    try_on_history,
    write_version,
)
from training.incentives.wording import why_blocked
from training.tests.factories import Bank, teller
from training.tests.incentives.making import (
    APRIL,
    CLOSED,
    OVERALL,
    PAY,
    QUARTER,
    make_run,
    make_system,
    result,
    scores,
    second_hr,
)

pytestmark = pytest.mark.django_db
NEXT = date(2026, 4, 1)


def scheme_of(bank: Bank, **over: Any) -> Scheme:
    fields: dict[str, Any] = {
        "code": "quarter",
        "name": {"en": "Service bonus"},
        "kind": "pay",
        "grain": "quarter",
        "currency": "cny",
        "budget": 100_000,
        "by": bank.as_(bank.hua),
        "now": APRIL,
    }
    return save_scheme(**{**fields, **over})


def draft(bank: Bank, scheme: Scheme, rules: Any = PAY, valid_from: date = NEXT) -> SchemeVersion:
    return write_version(
        scheme_id=scheme.pk, rules=rules, valid_from=valid_from, by=bank.as_(bank.hua), now=APRIL
    )


def attempt(bank: Bank, version: SchemeVersion, **over: Any) -> Trial:
    fields: dict[str, Any] = {
        "version_id": version.pk,
        "first": QUARTER,
        "end": CLOSED,
        "by": bank.as_(bank.hua),
        "now": APRIL,
    }
    return try_on_history(**{**fields, **over})


def publish(bank: Bank, version: SchemeVersion) -> SchemeVersion:
    return publish_version(version_id=version.pk, by=bank.as_(bank.hua), now=APRIL)


@pytest.fixture
def version(bank: Bank) -> SchemeVersion:
    """Rules for which the first quarter has everything: Li 4.0, the north 80."""
    scores(make_system(), {bank.north: 80.0})
    result(make_run(), bank.li, bank.north, 4.0)
    return draft(bank, scheme_of(bank))


class TestWriting:
    def test_a_scheme_of_pay_needs_currency_and_budget(self, bank: Bank) -> None:
        with pytest.raises(InvalidInput) as refusal:
            scheme_of(bank, code="a b", name={}, kind="moon", grain="day")
        assert {p.field for p in refusal.value.problems} == {"code", "name", "kind", "grain"}
        with pytest.raises(InvalidInput) as refusal:
            scheme_of(bank, currency="", budget=None)
        assert [p.field for p in refusal.value.problems] == ["currency", "budget"]
        assert Scheme.objects.count() == 0

    def test_only_hr_writes(self, bank: Bank, version: SchemeVersion) -> None:
        mei = bank.as_(bank.mei)
        with pytest.raises(NotPermitted):
            scheme_of(bank, by=mei)
        with pytest.raises(NotPermitted):
            attempt(bank, version, by=mei)
        with pytest.raises(NotPermitted):
            publish_version(version_id=version.pk, by=mei, now=APRIL)
        assert Trial.objects.count() == 0

    def test_there_is_one_draft_and_wrong_rules_change_nothing(
        self, bank: Bank, version: SchemeVersion
    ) -> None:
        again = draft(bank, version.scheme, PAY[:1])
        with pytest.raises(InvalidInput) as refusal:
            draft(bank, version.scheme, [{"rule": "top-percent", "percent": 10}])

        assert again.pk == version.pk
        assert "forced distributions are refused" in refusal.value.problems[0].reason
        version.refresh_from_db()
        assert version.rules == [{**PAY[0], "posts": []}]

    def test_what_it_is_stays_once_published_the_budget_does_not(
        self, bank: Bank, version: SchemeVersion
    ) -> None:
        attempt(bank, version)
        publish(bank, version)

        with pytest.raises(Conflict):
            scheme_of(bank, kind="honour")
        assert scheme_of(bank, budget=5).budget == 5

    def test_rules_are_for_everybody_to_read_drafts_for_who_writes(
        self, bank: Bank, version: SchemeVersion
    ) -> None:
        assert not schemes_seen_by(bank.as_(bank.li)).exists()
        attempt(bank, version)
        publish(bank, version)
        draft(bank, version.scheme, PAY[:1])

        [seen] = schemes_seen_by(bank.as_(bank.li))
        assert [each.number for each in seen.versions.all()] == [1]
        [seen] = schemes_seen_by(bank.as_(bank.hua))
        assert [each.number for each in seen.versions.all()] == [2, 1]


class TestTrial:
    def test_shows_people_and_cost_beside_the_budget(
        self, bank: Bank, version: SchemeVersion
    ) -> None:
        trial = attempt(bank, version)

        assert trial.outcome["periods"] == [
            {
                "start": "2026-01-01",
                "members": 3,
                "people": 2,
                "cost": 149_200,
                "budget": 100_000,
                "is_over": True,
                "reasons": {"own": 1, "team": 1, "unit": 2},
                "missing": [],
            }
        ]
        assert (trial.outcome["people"], trial.outcome["chosen"], trial.is_blocking) == (
            3,
            2,
            False,
        )
        assert trial_picture(bank.as_(bank.hua), trial.pk) == trial
        with pytest.raises(NotFound):
            trial_picture(bank.as_(bank.mei), trial.pk)

    def test_is_the_same_each_time(self, bank: Bank, version: SchemeVersion) -> None:
        assert attempt(bank, version).outcome == attempt(bank, version).outcome

    @pytest.mark.parametrize(
        ("first", "end"),
        [(QUARTER, QUARTER), (NEXT, date(2026, 7, 1)), (date(1990, 1, 1), CLOSED)],
    )
    def test_wants_periods_that_are_over(
        self, bank: Bank, version: SchemeVersion, first: date, end: date
    ) -> None:
        with pytest.raises(InvalidInput):
            attempt(bank, version, first=first, end=end)
        assert Trial.objects.count() == 0

    def test_of_days_without_data_blocks(self, bank: Bank, version: SchemeVersion) -> None:
        trial = attempt(bank, version, first=date(2025, 7, 1), end=date(2025, 10, 1))

        assert trial.is_blocking
        assert trial.outcome["periods"][0]["missing"] == ["results", "scores"]
        assert "nothing in these periods" in why_blocked(trial.outcome)


class TestFairness:
    HONOUR = [{"rule": "above-honour", "measure": OVERALL}]

    def people(self, bank: Bank, chosen: dict[str, int], *, of: int) -> list[Staff]:
        """So many of so many of each sex clearly above, and nobody else works here."""
        Assignment.objects.update(valid_to=QUARTER)
        run, found = make_run(), []
        for sex, count in chosen.items():
            for place in range(of):
                staff = teller(f"{sex}{place}", bank.north)
                Terms.objects.create(staff=staff, sex=sex, born_in=1990, weekly_minutes=2400)
                verdict = "above" if place < count else "alike"
                result(run, staff, bank.north, 4.0, verdict=verdict)
                found.append(staff)
        return found

    def honour(self, bank: Bank) -> SchemeVersion:
        return draft(bank, scheme_of(bank, kind="honour", code="honour"), self.HONOUR)

    def test_a_ratio_below_four_fifths_blocks_and_beyond_chance_is_an_alarm(
        self, bank: Bank
    ) -> None:
        self.people(bank, {"f": 4, "m": 16}, of=20)

        trial = attempt(bank, self.honour(bank))

        by_sex = [group for group in trial.outcome["groups"] if group["factor"] == "sex"]
        assert [(g["group"], g["people"], g["chosen"], g["ratio"]) for g in by_sex] == [
            ("f", 20, 0.2, 0.25),
            ("m", 20, 0.8, 1.0),
        ]
        assert [g["is_alarm"] for g in by_sex] == [True, False]
        assert (trial.is_blocking, trial.outcome["lowest_ratio"]) == (True, 0.25)
        assert "25 % of what the best-off group gets" in why_blocked(trial.outcome)

    def test_below_four_fifths_by_chance_blocks_too_but_is_no_alarm(self, bank: Bank) -> None:
        self.people(bank, {"f": 2, "m": 3}, of=6)

        trial = attempt(bank, self.honour(bank))

        assert trial.is_blocking
        assert not any(group["is_alarm"] for group in trial.outcome["groups"])

    def test_alike_groups_do_not_block(self, bank: Bank) -> None:
        self.people(bank, {"f": 5, "m": 5}, of=10)

        trial = attempt(bank, self.honour(bank))

        assert (trial.is_blocking, trial.outcome["lowest_ratio"]) == (False, 1.0)
        assert why_blocked(trial.outcome) == ""

    def test_groups_below_the_smallest_are_never_shown_nor_what_would_tell_them(
        self, bank: Bank
    ) -> None:
        few = self.people(bank, {"f": 5, "m": 5}, of=12)[:4]
        Terms.objects.filter(staff__in=few).update(sex="x")

        groups = attempt(bank, self.honour(bank)).outcome["groups"]

        by_sex = [group for group in groups if group["factor"] == "sex"]
        assert [(g["group"], g["people"], g["chosen"], g["mean"]) for g in by_sex] == [
            ("f", None, None, None),
            ("m", None, None, None),
        ]
        assert [round(g["ratio"], 3) for g in by_sex] == [0.3, 1.0]

    def test_a_factor_with_one_group_is_not_shown(self, bank: Bank) -> None:
        few = self.people(bank, {"f": 5, "m": 5}, of=7)[:4]
        Terms.objects.filter(staff__in=few).update(sex="", born_in=None)

        groups = attempt(bank, self.honour(bank)).outcome["groups"]

        assert groups == []

    def test_people_who_work_part_time_are_compared(self, bank: Bank) -> None:
        part = self.people(bank, {"f": 6, "m": 0}, of=6)[6:]
        Terms.objects.filter(staff__in=part).update(weekly_minutes=1200)

        groups = attempt(bank, self.honour(bank)).outcome["groups"]

        assert [(g["group"], g["ratio"]) for g in groups if g["factor"] == "hours"] == [
            ("full-time", 1.0),
            ("part-time", 0.0),
        ]

    def test_amounts_of_pay_are_compared(self, bank: Bank) -> None:
        staff = self.people(bank, {"f": 0, "m": 0}, of=5)
        scores(make_system(), {bank.north: 80.0})
        rules = [{**PAY[0], "posts": ["teller"]}, PAY[1]]
        for each in staff[:5]:
            each.results.update(estimate=2.0)

        trial = attempt(bank, draft(bank, scheme_of(bank), rules))

        by_sex = {g["group"]: g for g in trial.outcome["groups"] if g["factor"] == "sex"}
        assert (by_sex["f"]["mean"], by_sex["m"]["mean"]) == (62_000, 74_000)
        assert by_sex["f"]["chosen"] == 1.0
        assert by_sex["f"]["ratio"] == pytest.approx(62 / 74)
        assert not trial.is_blocking


class TestPublishing:
    def test_needs_a_trial_of_exactly_these_rules(self, bank: Bank, version: SchemeVersion) -> None:
        with pytest.raises(Conflict, match="exactly these rules"):
            publish(bank, version)
        attempt(bank, version)
        draft(bank, version.scheme, [PAY[0], PAY[1] | {"amount": 20_000}])
        with pytest.raises(Conflict, match="exactly these rules"):
            publish(bank, version)
        version.refresh_from_db()
        assert version.published_at is None

        attempt(bank, version)
        assert publish(bank, version).published_at == APRIL
        assert Scheme.objects.get().state == "active"
        with pytest.raises(Conflict, match="published already"):
            publish(bank, version)

    def test_a_blocking_trial_needs_the_review_of_somebody_else_with_a_reason(
        self, bank: Bank, version: SchemeVersion
    ) -> None:
        trial = attempt(bank, version, first=date(2025, 7, 1), end=date(2025, 10, 1))
        _user, han = second_hr()
        with pytest.raises(Conflict, match="blocks"):
            publish(bank, version)
        with pytest.raises(NotPermitted):
            review_trial(trial_id=trial.pk, review="ok", by=bank.as_(bank.hua), now=APRIL)
        with pytest.raises(NotPermitted):
            review_trial(trial_id=trial.pk, review="ok", by=bank.as_(bank.mei), now=APRIL)
        with pytest.raises(InvalidInput):
            review_trial(trial_id=trial.pk, review=" ", by=bank.as_(han), now=APRIL)

        review_trial(trial_id=trial.pk, review="A first year", by=bank.as_(han), now=APRIL)

        assert publish(bank, version).published_at == APRIL
        with pytest.raises(Conflict):
            review_trial(trial_id=trial.pk, review="again", by=bank.as_(han), now=APRIL)

    def test_the_newest_trial_counts_not_the_kindest(
        self, bank: Bank, version: SchemeVersion
    ) -> None:
        attempt(bank, version)
        attempt(bank, version, first=date(2025, 7, 1), end=date(2025, 10, 1))

        with pytest.raises(Conflict, match="blocks"):
            publish(bank, version)

    def test_a_trial_that_blocks_is_not_answered_by_one_that_leaves_its_periods_out(
        self, bank: Bank
    ) -> None:
        people = TestFairness().people(bank, {"f": 4, "m": 16}, of=20)
        version = TestFairness().honour(bank)
        assert attempt(bank, version).is_blocking
        year_before = make_run(ends_on=date(2025, 4, 1))
        for staff in people:
            result(year_before, staff, bank.north, 4.0, verdict="above")
        assert not attempt(bank, version, first=date(2025, 1, 1), end=date(2025, 4, 1)).is_blocking

        with pytest.raises(Conflict, match="blocks"):
            publish(bank, version)
        version.refresh_from_db()
        assert version.published_at is None

    def test_rules_do_not_reach_back(self, bank: Bank, version: SchemeVersion) -> None:
        draft(bank, version.scheme, PAY, valid_from=QUARTER)
        attempt(bank, version)

        with pytest.raises(InvalidInput) as refusal:
            publish(bank, version)
        assert refusal.value.problems[0].field == "valid_from"

    def test_a_scheme_is_switched_off_and_on(self, bank: Bank, version: SchemeVersion) -> None:
        attempt(bank, version)
        publish(bank, version)
        hua = bank.as_(bank.hua)

        assert switch_off(scheme_id=version.scheme_id, by=hua, now=APRIL).state == "off"
        with pytest.raises(Conflict):
            switch_off(scheme_id=version.scheme_id, by=hua, now=APRIL)
        assert switch_on(scheme_id=version.scheme_id, by=hua, now=APRIL).state == "active"
