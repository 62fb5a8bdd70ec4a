"""Plans that make no sense, links that are handed out and withdrawn, many answers at once."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope
from sqcore.tests.factories import make_principal, make_staff, make_unit
from surveys.campaigns.models import Campaign
from surveys.invitations.models import Invitation, SamplingPlan, SpentLink
from surveys.invitations.rates import Rate, rate_by_steps, without_the_only_secret
from surveys.invitations.services import (
    InvitedAnswer,
    Submitted,
    draw_invitations,
    end_plan,
    hand_out,
    hand_out_open,
    make_plan,
    submit_invited,
    try_plan,
    withdraw_invitations,
)
from surveys.responses.models import Response
from surveys.responses.services import NotTakingAnswers
from surveys.tests.factories import SYSTEM, make_campaign
from surveys.tests.invitations.factories import (
    DAY,
    MONDAY,
    NOON,
    give_staff,
    invite,
    keys,
    make_a_plan,
    new_plan,
    served,
)

pytestmark = pytest.mark.django_db


class TestAPlan:
    @pytest.mark.parametrize(
        ("over", "field"),
        [
            ({"share": Decimal(0)}, "share"),
            ({"share": Decimal("-1")}, "share"),
            ({"share": Decimal("100.01")}, "share"),
            ({"least": -1}, "least"),
            ({"least": 5, "most": 4}, "most"),
            ({"most": 0}, "most"),
            ({"ends_on": date(2026, 3, 1)}, "ends_on"),
            ({"valid_days": 0}, "valid_days"),
            ({"valid_days": 91, "recontact_days": 200}, "valid_days"),
            ({"oldest_days": 0, "delay_h": 0}, "oldest_days"),
            ({"delay_h": 24 * 14 + 1}, "delay_h"),
            ({"delay_h": -1}, "delay_h"),
            ({"recontact_days": -1}, "recontact_days"),
            ({"recontact_days": 20}, "recontact_days"),
        ],
    )
    def test_that_makes_no_sense_is_refused_by_name(self, over: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidInput) as refusal:
            make_a_plan(make_campaign(), **over)

        assert {problem.field for problem in refusal.value.problems} == {field}
        assert not SamplingPlan.objects.exists()

    @pytest.mark.parametrize(
        "over",
        [{"share": 0}, {"share": 101}, {"least": 5, "most": 4}, {"ends_on": MONDAY - 9 * DAY}],
    )
    def test_that_makes_no_sense_does_not_enter_the_database(self, over: dict[str, Any]) -> None:
        plan = make_a_plan(make_campaign())

        with pytest.raises(IntegrityError), transaction.atomic():
            SamplingPlan.objects.filter(pk=plan.pk).update(**over)

    def test_may_ask_sooner_again_where_answers_are_not_anonymous(self) -> None:
        campaign = make_campaign(mode=Campaign.Mode.CONFIDENTIAL)

        assert make_a_plan(campaign, recontact_days=0).recontact_days == 0

    @pytest.mark.parametrize(
        "over",
        [
            {},
            {"starts_on": date(2026, 3, 10)},
            {"starts_on": date(2026, 2, 1), "ends_on": date(2026, 3, 2)},
        ],
    )
    def test_in_the_days_of_another_is_refused(self, over: dict[str, Any]) -> None:
        campaign = make_campaign()
        make_a_plan(campaign)

        with pytest.raises(Conflict) as refusal:
            make_a_plan(campaign, **over)

        assert refusal.value.problems[0].field == "starts_on"
        assert SamplingPlan.objects.count() == 1

    def test_follows_another_that_ended(self) -> None:
        campaign = make_campaign()
        make_a_plan(campaign, ends_on=date(2026, 3, 9))

        make_a_plan(campaign, starts_on=date(2026, 3, 9))

        assert SamplingPlan.objects.count() == 2

    @pytest.mark.parametrize(
        "over", [{"mode": Campaign.Mode.IDENTIFIED}, {"state": Campaign.State.CLOSED}]
    )
    def test_of_a_campaign_that_cannot_invite_is_refused(self, over: dict[str, Any]) -> None:
        with pytest.raises(Conflict):
            make_a_plan(make_campaign(**over))

        assert not SamplingPlan.objects.exists()

    def test_is_for_who_runs_surveys(self) -> None:
        with pytest.raises(NotPermitted):
            make_plan(campaign=make_campaign(), new=new_plan(), by=chen(), now=NOON)

        assert not SamplingPlan.objects.exists()

    def test_ends_today_and_keeps_its_links(self) -> None:
        unit = make_unit("north")
        served(unit, ["before"], at=NOON - DAY)
        served(unit, ["today"], at=NOON - timedelta(hours=4))
        plan = make_a_plan(make_campaign())
        draw_invitations(plan=plan, now=NOON - DAY + timedelta(hours=3))

        end_plan(plan=plan, by=SYSTEM, now=NOON)
        end_plan(plan=plan, by=SYSTEM, now=NOON + DAY)
        draw_invitations(plan=plan, now=NOON + DAY)

        assert SamplingPlan.objects.get().ends_on == MONDAY
        assert [one.encounter_key for one in Invitation.objects.all()] == ["before"]

    def test_that_has_not_begun_is_taken_away(self) -> None:
        plan = make_a_plan(make_campaign(), starts_on=date(2026, 4, 1))

        end_plan(plan=plan, by=SYSTEM, now=NOON)

        assert not SamplingPlan.objects.exists()


class TestAPreview:
    def test_says_what_would_have_been(self) -> None:
        unit = make_unit("north")
        for at in range(28):
            served(unit, keys(f"day-{at:02}", 10), at=NOON - (28 - at) * DAY)
        served(unit, ["again-1", "again-2"], at=NOON - 3 * DAY, customer="0815")
        campaign = make_campaign()
        new = new_plan(starts_on=date(2026, 4, 1))

        seen = try_plan(campaign=campaign, new=new, by=SYSTEM, now=NOON)

        assert (seen.days, seen.looked_at) == (28, 282)
        assert seen.fates == {
            "invited": 281, "not_sampled": 0, "recent": 1, "full": 0, "unknown": 0,
        }  # fmt: skip
        assert not Invitation.objects.exists()
        assert not SamplingPlan.objects.exists()

    def test_counts_those_that_fill_a_week_up_once(self) -> None:
        unit = make_unit("north")
        served(unit, keys("visit", 30), at=NOON - 10 * DAY)
        new = new_plan(share=Decimal("0.01"), least=8)

        seen = try_plan(campaign=make_campaign(), new=new, by=SYSTEM, now=NOON)

        assert seen.looked_at == 30
        assert (seen.fates["invited"], seen.fates["not_sampled"]) == (8, 22)

    def test_of_nonsense_is_refused_as_the_plan_is(self) -> None:
        with pytest.raises(InvalidInput):
            try_plan(campaign=make_campaign(), new=new_plan(share=Decimal(0)), by=SYSTEM, now=NOON)


def chen() -> Principal:
    return make_principal({})


def core_system(*unit_ids: int) -> Principal:
    """The token of the core system of some branches."""
    scope = Scope(units=frozenset(unit_ids))
    return make_principal({Permission.SEND_MEASUREMENTS: scope}, key="token:1")


class TestHandingOut:
    def test_is_noted_once(self) -> None:
        campaign, unit = make_campaign(), make_unit("north")
        invite(campaign, "a", unit)
        by = core_system(unit.pk)

        assert hand_out(campaign=campaign, encounter_keys=["a"], by=by, now=NOON) == 1
        assert hand_out(campaign=campaign, encounter_keys=["a"], by=by, now=NOON + DAY) == 1

        assert Invitation.objects.get().handed_out_on == MONDAY
        assert AuditEntry.objects.filter(action="invitations.handed_out").count() == 1

    def test_of_another_unit_is_refused_and_nothing_noted(self) -> None:
        campaign, north, south = make_campaign(), make_unit("north"), make_unit("south")
        invite(campaign, "mine", north)
        invite(campaign, "theirs", south)

        with pytest.raises(InvalidInput) as refusal:
            hand_out(
                campaign=campaign,
                encounter_keys=["mine", "theirs"],
                by=core_system(north.pk),
                now=NOON,
            )

        assert [problem.row for problem in refusal.value.problems] == [2]
        assert not Invitation.objects.filter(handed_out_on__isnull=False).exists()

    def test_needs_a_permission(self) -> None:
        campaign = make_campaign()
        invite(campaign, "a", make_unit("north"))

        with pytest.raises(NotPermitted):
            hand_out(campaign=campaign, encounter_keys=["a"], by=chen(), now=NOON)
        with pytest.raises(NotPermitted):
            hand_out_open(campaign=campaign, by=core_system(1), now=NOON)

    def test_of_all_lists_the_open_ones(self) -> None:
        campaign, unit = make_campaign(), make_unit("north")
        invite(campaign, "open", unit)
        invite(campaign, "expired", unit, invited_on=MONDAY - 9 * DAY, valid_until=MONDAY)
        invite(campaign, "withdrawn", unit, withdrawn_at=NOON)

        listed = hand_out_open(campaign=campaign, by=SYSTEM, now=NOON)

        assert [one.encounter_key for one in listed] == ["open"]
        assert list(
            Invitation.objects.filter(handed_out_on=MONDAY).values_list("encounter_key", flat=True)
        ) == ["open"]
        assert AuditEntry.objects.get(action="invitations.exported").details == {"invitations": 1}


class TestManyAnswers:
    def test_are_taken_under_every_rule(self) -> None:
        campaign, unit = make_campaign(mode=Campaign.Mode.CONFIDENTIAL), make_unit("north")
        served(unit, ["good"])
        give_staff("good", make_staff("7").pk)
        invite(campaign, "good", unit)
        invite(campaign, "spent", unit)
        invite(campaign, "expired", unit, invited_on=MONDAY - 9 * DAY, valid_until=MONDAY)
        invite(campaign, "withdrawn", unit, withdrawn_at=NOON)
        invite(campaign, "later", unit, invited_on=MONDAY + DAY)
        submit_invited(campaign=campaign, answers=[InvitedAnswer("spent", {"p1": 1})], now=NOON)
        asked = ["good", "good", "spent", "expired", "withdrawn", "later", "never"]
        answers = [InvitedAnswer(key, {"p1": at + 1}, "en") for at, key in enumerate(asked)]

        found = submit_invited(campaign=campaign, answers=answers, now=NOON)

        assert found == Submitted(taken=1, already=2, closed=3, not_invited=1)
        stored = Response.objects.get(encounter_key="good")
        assert stored.answers == {"p1": 1}
        assert (stored.staff.number if stored.staff else "", stored.language) == ("7", "en")
        assert stored.answered_on == MONDAY
        assert Response.objects.count() == SpentLink.objects.count() == 2

    def test_that_the_questionnaire_does_not_know_are_all_refused(self) -> None:
        campaign, unit = make_campaign(), make_unit("north")
        for key in keys("visit", 5):
            invite(campaign, key, unit)
        answers = [InvitedAnswer(key, {"p1": 6}) for key in keys("visit", 4)]

        with pytest.raises(InvalidInput):
            submit_invited(
                campaign=campaign,
                answers=[*answers, InvitedAnswer("visit-00004", {"p1": 99})],
                now=NOON,
            )

        assert not Response.objects.exists()
        assert not SpentLink.objects.exists()

    def test_to_a_closed_campaign_are_refused(self) -> None:
        campaign = make_campaign(state=Campaign.State.CLOSED)

        with pytest.raises(NotTakingAnswers):
            submit_invited(campaign=campaign, answers=[], now=NOON)

    def test_cost_the_same_queries_however_many(self, django_assert_num_queries: Any) -> None:
        campaign, unit = make_campaign(), make_unit("north")
        for key in keys("visit", 200):
            invite(campaign, key, unit)
        first = [InvitedAnswer(key, {"p1": 6}) for key in keys("visit", 200)[:5]]
        submit_invited(campaign=campaign, answers=first, now=NOON)
        rest = [InvitedAnswer(key, {"p1": 6}) for key in keys("visit", 200)[5:]]

        with django_assert_num_queries(10):
            submit_invited(campaign=campaign, answers=rest, now=NOON)


class TestWithdrawing:
    def test_takes_open_links_out_of_use_once(self) -> None:
        campaign, unit = make_campaign(), make_unit("north")
        invite(campaign, "open", unit)
        invite(campaign, "expired", unit, invited_on=MONDAY - 9 * DAY, valid_until=MONDAY)

        assert withdraw_invitations(campaign=campaign, by=SYSTEM, now=NOON) == 1
        assert withdraw_invitations(campaign=campaign, by=SYSTEM, now=NOON) == 0

        assert AuditEntry.objects.filter(action="invitations.withdrawn").count() == 1

    def test_is_for_who_runs_surveys(self) -> None:
        campaign, unit = make_campaign(), make_unit("north")
        invite(campaign, "open", unit)

        with pytest.raises(NotPermitted):
            withdraw_invitations(campaign=campaign, by=core_system(unit.pk), now=NOON)

        assert Invitation.objects.get().withdrawn_at is None


class TestTheRate:
    def test_is_that_of_wilson(self) -> None:
        rate = Rate.of(100, 27)

        assert (round(rate.percent), round(rate.low_percent, 1), round(rate.high_percent, 1)) == (
            27,
            19.3,
            36.4,
        )

    def test_is_not_told_before_enough_answered_and_did_not(self) -> None:
        week = MONDAY

        assert rate_by_steps({week: 100}, {week: 4}, least=5) is None
        assert rate_by_steps({week: 9}, {week: 5}, least=5) is None
        assert rate_by_steps({week: 10}, {week: 5}, least=5) == Rate.of(10, 5)

    @given(
        st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=12),
        st.integers(3, 6),
    )
    def test_changes_only_by_steps_that_tell_of_nobody(
        self, weeks: list[tuple[int, int]], least: int
    ) -> None:
        invited = {MONDAY + 7 * at * DAY: a + b for at, (a, b) in enumerate(weeks)}
        answered = {MONDAY + 7 * at * DAY: a for at, (a, _b) in enumerate(weeks)}
        looks = [(0, 0)]
        for count in range(1, len(weeks) + 1):
            some = sorted(invited)[:count]
            rate = rate_by_steps(
                {week: invited[week] for week in some},
                {week: answered[week] for week in some},
                least=least,
            )
            looks.append((rate.invited, rate.answered) if rate else (0, 0))

        for (i0, a0), (i1, a1) in pairwise(looks):
            more, without = a1 - a0, (i1 - a1) - (i0 - a0)
            assert (more, without) == (0, 0) or (more >= least and without >= least)

    def test_of_one_part_does_not_follow_from_the_others(self) -> None:
        rates = {1: Rate.of(100, 20), 2: Rate.of(50, 10), 3: None}

        assert without_the_only_secret(rates) == {1: rates[1], 2: None, 3: None}
