"""What becomes of a signal: a proposal, a place at a ticket that is there, or nothing."""

from datetime import date, timedelta
from itertools import permutations
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from improvement.tests.factories import (
    ALARM,
    Bank,
    come_back,
    make_bank,
    make_indicator,
    make_signal,
    make_system,
    make_ticket,
    recover,
)
from improvement.tickets.from_signals import take_signal, take_what_waits, withdraw_recovered
from improvement.tickets.models import State, Ticket, TicketSignal
from improvement.tickets.queries import machine_proposals_for
from sqcore.base.periods import Grain
from sqcore.indicators.models import Dimension, SystemVersion, Target, WeightedIndicator
from sqcore.indicators.shapes import (
    Scoring,
    along,
    by_limit,
    in_the_middle,
    is_two_sided,
    shape_of,
)
from sqcore.monitoring.models import Signal
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, give_role, make_unit, make_user
from sqcore.tests.rest import make_run, make_value

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    make_indicator()
    return make_bank()


def take(signal: Signal, *, days: int = 0) -> Ticket | None:
    return take_signal(signal_id=signal.pk, episode=signal.episode, now=NOW + timedelta(days=days))


def joined(ticket: Ticket) -> set[str]:
    """The units whose signals belong to the ticket."""
    return set(ticket.signals.values_list("signal__unit__code", flat=True))


def _kept(scoring: Scoring) -> dict[str, Any]:
    """What a shape says, as a version keeps it."""
    said = shape_of(scoring)
    return {**said, "knots": [list(knot) for knot in said["knots"]] or None}


class TestProposing:
    def test_a_signal_proposes_a_ticket_with_what_it_rests_on(self, bank: Bank) -> None:
        signal = make_signal(bank.north)

        ticket = take(signal)

        assert ticket is not None
        assert (ticket.state, ticket.source, ticket.unit, ticket.code, ticket.grain) == (
            State.PROPOSED, Ticket.Source.SIGNAL, bank.north, "waiting-time", Grain.WEEK,
        )  # fmt: skip
        assert (ticket.title, ticket.owner) == ("Waiting time got worse at North", bank.mei)
        assert (ticket.proposed_by, ticket.is_over_budget) == (None, False)
        assert ticket.evidence == {
            "policy": 1,
            "title": {
                "en": "Waiting time got worse at North",
                "zh-hans": ticket.evidence["title"]["zh-hans"],
            },
            "signal": signal.pk,
            "episode": 1,
            "opener": 1,
            "run": None,
            "baseline": signal.baseline_id,
            "alarm_on": "2026-02-16",
            "since_on": "2026-01-26",
            "last_on": "2026-02-16",
            "shift": 1.2,
            "shift_sigma": 2.4,
            "centre": 6.0,
            "sigma": 0.5,
            "value": None,
            "target": None,
            "n": None,
            "gap": None,
            "impact": None,
        }
        assert ticket.severity == 3
        assert joined(ticket) == {"north"}
        step = ticket.steps.get()
        assert (step.action, step.former, step.state) == ("proposed", "", "proposed")
        assert step.by is None

    def test_severity_is_suggested_from_customers_gap_and_strength(self, bank: Bank) -> None:
        system = make_system()
        version = SystemVersion.objects.create(
            system=system, number=1, state="published", grains=[Grain.WEEK],
            since=date(2025, 1, 1), published_at=NOW,
        )  # fmt: skip
        dimension = Dimension.objects.create(
            version=version, code="speed", name={"en": "Speed"}, weight=1
        )
        indicator = make_indicator("queue")
        WeightedIndicator.objects.create(
            dimension=dimension, indicator=indicator, weight=1, worst=15.0, best=5.0
        )
        Target.objects.create(indicator=indicator, value=6.0, valid_from=date(2025, 1, 1))
        run = make_run(system, "2026-W08")
        make_value(run, bank.north, kind="indicator", code="queue", value=7.5, n=400, score=75.0)

        ticket = take(make_signal(bank.north, "queue", shift_sigma=2.0))

        assert ticket is not None
        # 400 customers x 1.5 of 10 minutes from worst to best x 2 sigma
        found = {name: ticket.evidence[name] for name in ("run", "n", "value", "target", "gap")}
        assert found == {"run": run.pk, "n": 400, "value": 7.5, "target": 6.0, "gap": 0.15}
        assert (ticket.evidence["impact"], ticket.severity) == (120.0, 2)

    @pytest.mark.parametrize(
        ("scoring", "target", "gap"),
        [
            # 84 points at 6.6 and 60 at 9; 60 - 45 at 10.5 and 9.
            (by_limit(5, 9), 6.6, 0.39),
            (along([(5, 100), (9, 90), (15, 0)]), 9.0, 0.225),
            # From the centre of the baseline, 6, to 10.5: a target has no good side.
            (in_the_middle(6, 10), 20.0, 0.45),
            (in_the_middle(10.5, 10), 20.0, 0.0),
        ],
    )
    def test_in_another_shape_the_gap_is_one_of_points(
        self, bank: Bank, scoring: Scoring, target: float, gap: float
    ) -> None:
        system = make_system()
        version = SystemVersion.objects.create(
            system=system, number=1, state="published", grains=[Grain.WEEK],
            since=date(2025, 1, 1), published_at=NOW,
        )  # fmt: skip
        dimension = Dimension.objects.create(
            version=version, code="speed", name={"en": "Speed"}, weight=1
        )
        indicator = make_indicator("queue")
        WeightedIndicator.objects.create(
            dimension=dimension, indicator=indicator, weight=1,
            worst=scoring.worst, best=scoring.best, **_kept(scoring),
        )  # fmt: skip
        Target.objects.create(indicator=indicator, value=target, valid_from=date(2025, 1, 1))
        run = make_run(system, "2026-W08")
        make_value(run, bank.north, kind="indicator", code="queue", value=10.5, n=400)

        ticket = take(make_signal(bank.north, "queue", shift_sigma=2.0))

        assert ticket is not None
        assert ticket.evidence["gap"] == pytest.approx(gap)
        is_told = not is_two_sided(scoring)
        assert ticket.evidence["target"] == (target if is_told else None)

    def test_the_same_signal_proposes_once(self, bank: Bank) -> None:
        signal = make_signal(bank.north)

        assert take(signal) == take(signal) == take(signal, days=3)

        assert Ticket.objects.count() == TicketSignal.objects.count() == 1
        assert Ticket.objects.get().steps.count() == 1

    def test_heard_again_it_costs_few_queries_however_many_proposals_wait(
        self, bank: Bank, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        signal = make_signal(bank.north)
        take(signal)
        for _number in range(30):
            make_ticket(bank.south, source=Ticket.Source.SIGNAL, owner=bank.mei)

        with django_assert_num_queries(6):
            take(signal)

    def test_what_recovered_before_it_was_heard_of_proposes_nothing(self, bank: Bank) -> None:
        assert take(recover(make_signal(bank.north))) is None
        assert not Ticket.objects.exists()

    def test_news_of_a_former_episode_proposes_nothing(self, bank: Bank) -> None:
        signal = come_back(make_signal(bank.north), alarm_on=date(2026, 3, 2))

        assert take_signal(signal_id=signal.pk, episode=1, now=NOW) is None
        assert not Ticket.objects.exists()

    def test_a_muted_signal_proposes_nothing_until_its_day(self, bank: Bank) -> None:
        signal = make_signal(
            bank.north, muted_until=date(2026, 3, 20), muted_by=bank.mei, mute_reason="Moving"
        )

        assert take(signal) is None
        assert take_what_waits(now=NOW + timedelta(days=17)) == 0
        assert take_what_waits(now=NOW + timedelta(days=18)) == 1
        assert take_what_waits(now=NOW + timedelta(days=18)) == 0

    def test_two_grains_of_one_indicator_are_one_ticket(self, bank: Bank) -> None:
        week = take(make_signal(bank.north))
        month = take(make_signal(bank.north, grain=Grain.MONTH))

        assert week == month
        assert TicketSignal.objects.count() == 2


class TestComingBack:
    @pytest.mark.parametrize(
        ("state", "why"),
        [
            (State.REJECTED, "known"),
            (State.WITHDRAWN, "recovered"),
            (State.CANCELLED, "other"),
            (State.ABANDONED, "no_effect"),
        ],
    )
    def test_a_signal_cools_down_after_its_ticket_ended(
        self, bank: Bank, state: State, why: str
    ) -> None:
        signal = make_signal(bank.north)
        ended = make_ticket(bank.north, state, signal=signal, owner=bank.mei, end_reason=why)

        assert take(signal, days=90) is None
        again = take(signal, days=91)

        assert again is not None
        assert again != ended
        assert again.recurrence_of is None

    @pytest.mark.parametrize("state", [State.CLOSED, State.STANDARD])
    def test_within_90_days_a_regression_is_left_to_the_cycle(
        self, bank: Bank, state: State
    ) -> None:
        signal = make_signal(bank.north)
        ticket = make_ticket(bank.north, state, signal=signal, owner=bank.mei)
        come_back(signal, alarm_on=ALARM + timedelta(days=80))

        assert take(signal, days=90) is None

        assert Ticket.objects.get() == ticket
        assert TicketSignal.objects.count() == 1

    def test_later_it_is_a_new_ticket_that_names_the_former(self, bank: Bank) -> None:
        signal = make_signal(bank.north)
        closed = make_ticket(bank.north, State.CLOSED, signal=signal, owner=bank.mei)
        come_back(signal, alarm_on=ALARM + timedelta(days=100))

        ticket = take(signal, days=120)

        assert ticket is not None
        assert (ticket.state, ticket.recurrence_of, ticket.episode) == (State.PROPOSED, closed, 2)

    def test_what_comes_back_joins_the_ticket_that_is_worked_on(self, bank: Bank) -> None:
        signal = make_signal(bank.north)
        ticket = make_ticket(bank.north, State.DO, signal=signal, owner=bank.mei)
        come_back(signal, alarm_on=ALARM + timedelta(days=30))

        assert take(signal, days=31) == ticket

        assert list(ticket.signals.order_by("id").values_list("episode", flat=True)) == [1, 2]

    def test_while_an_effect_is_held_however_long_it_is_left_to_the_cycle(self, bank: Bank) -> None:
        signal = make_signal(bank.north)
        make_ticket(bank.north, State.STANDARD, signal=signal, owner=bank.mei)
        come_back(signal, alarm_on=ALARM + timedelta(days=95))

        assert take(signal, days=120) is None
        assert Ticket.objects.count() == 1


class TestOneProblemAtSeveralUnits:
    @pytest.mark.parametrize("order", list(permutations(["north", "region", "bank"])))
    def test_ends_in_one_ticket_at_the_branch_in_any_order(
        self, bank: Bank, order: tuple[str, ...]
    ) -> None:
        for code in order:
            take(make_signal(Unit.objects.get(code=code)))

        ticket = Ticket.objects.get()
        assert ticket.unit == bank.north
        assert ticket.signal is not None
        assert ticket.signal.unit == bank.north
        assert ticket.title == "Waiting time got worse at North"
        assert ticket.evidence["signal"] == ticket.signal_id
        assert joined(ticket) == {"north", "region", "bank"}
        assert take_what_waits(now=NOW) == 0

    @pytest.mark.parametrize("order", list(permutations(["north", "south", "region"])))
    def test_two_branches_are_two_tickets_which_both_hold_what_is_above(
        self, bank: Bank, order: tuple[str, ...]
    ) -> None:
        for code in order:
            take(make_signal(Unit.objects.get(code=code)))

        found = {ticket.unit.code: joined(ticket) for ticket in Ticket.objects.all()}
        assert found == {"north": {"north", "region"}, "south": {"south", "region"}}

    @pytest.mark.parametrize("order", list(permutations(["north", "south", "east", "region"])))
    def test_three_branches_are_one_parent_with_children_in_any_order(
        self, bank: Bank, order: tuple[str, ...]
    ) -> None:
        for code in order:
            take(make_signal(Unit.objects.get(code=code)))

        parent = Ticket.objects.get(parent=None)
        children = {ticket.unit.code: joined(ticket) for ticket in parent.children.all()}
        assert parent.unit == bank.region
        assert parent.signal is not None
        assert parent.signal.unit == bank.region
        assert parent.title == "Waiting time got worse at several units of Region"
        assert joined(parent) == {"region"}
        assert children == {"north": {"north"}, "south": {"south"}, "east": {"east"}}
        assert Ticket.objects.count() == 4

    def test_a_fourth_branch_joins_the_parent_and_the_bank_too(self, bank: Bank) -> None:
        west = make_unit("west", parent=bank.region)
        for unit in (bank.bank, bank.north, bank.south, bank.east, west):
            take(make_signal(unit))

        parent = Ticket.objects.get(parent=None)
        assert joined(parent) == {"bank"}
        assert {child.unit.code for child in parent.children.all()} == {
            "north", "south", "east", "west",
        }  # fmt: skip

    def test_once_accepted_above_a_branch_only_joins(self, bank: Bank) -> None:
        region = make_signal(bank.region)
        ticket = make_ticket(bank.region, State.PLAN, signal=region, owner=bank.mei)

        assert take(make_signal(bank.north)) == ticket

        ticket.refresh_from_db()
        assert (ticket.unit, ticket.revision) == (bank.region, 1)
        assert joined(ticket) == {"region", "north"}

    def test_what_a_person_proposed_stays_where_they_put_it(self, bank: Bank) -> None:
        ticket = make_ticket(bank.region, proposed_by=bank.mei)

        assert take(make_signal(bank.north)) == ticket

        ticket.refresh_from_db()
        assert ticket.unit == bank.region

    def test_another_indicator_is_another_problem(self, bank: Bank) -> None:
        make_indicator("complaints")
        take(make_signal(bank.north))
        take(make_signal(bank.region, "complaints"))

        assert Ticket.objects.count() == 2

    def test_branches_of_another_region_are_no_siblings(self, bank: Bank) -> None:
        for unit in (bank.north, bank.south, bank.elsewhere):
            take(make_signal(unit))

        assert not Ticket.objects.exclude(parent=None).exists()
        assert Ticket.objects.count() == 3

    def test_a_rejected_parent_is_not_proposed_at_once_again(self, bank: Bank) -> None:
        make_ticket(bank.region, State.REJECTED, evidence={"children": []}, end_reason="known")
        for unit in (bank.north, bank.south, bank.east):
            take(make_signal(unit))

        assert Ticket.objects.filter(state=State.PROPOSED).count() == 3
        assert not Ticket.objects.exclude(parent=None).exists()


class TestBudget:
    CODES = ("calls", "errors", "parking", "queue", "noise")

    def take_five(self, unit: Unit) -> None:
        for number, code in enumerate(self.CODES):
            make_indicator(code)
            take(make_signal(unit, code, shift_sigma=2.0 + number))

    def test_three_wait_for_one_person_and_the_rest_is_ranked_behind(self, bank: Bank) -> None:
        self.take_five(bank.north)

        ranked = [
            (waiting.ticket.code, waiting.ticket.is_over_budget)
            for waiting in machine_proposals_for(bank.mei.pk)
        ]
        assert ranked == [
            ("noise", False),
            ("queue", False),
            ("parking", False),
            ("errors", True),
            ("calls", True),
        ]

    def test_when_one_recovers_the_next_takes_its_place(self, bank: Bank) -> None:
        self.take_five(bank.north)
        signal = recover(Signal.objects.get(code="noise"))

        withdraw_recovered(signal_id=signal.pk, now=NOW)

        within = Ticket.objects.filter(state=State.PROPOSED, is_over_budget=False)
        assert set(within.values_list("code", flat=True)) == {"queue", "parking", "errors"}

    def test_the_owner_of_the_indicator_is_asked_first(self, bank: Bank) -> None:
        make_indicator("queue", owner=bank.ana)

        ticket = take(make_signal(bank.north, "queue"))

        assert ticket is not None
        assert ticket.owner == bank.ana

    def test_an_owner_who_cannot_run_tickets_there_is_passed_over(self, bank: Bank) -> None:
        make_indicator("queue", owner=bank.chen)

        ticket = take(make_signal(bank.north, "queue"))

        assert ticket is not None
        assert ticket.owner == bank.mei

    def test_a_manager_of_the_branch_comes_before_that_of_the_region(self, bank: Bank) -> None:
        wu = make_user("wu")
        give_role(wu, "manager", bank.north)  # type: ignore[arg-type]  # a role by its key

        ticket = take(make_signal(bank.north))

        assert ticket is not None
        assert ticket.owner == wu


class TestRecovery:
    def test_an_untouched_proposal_is_withdrawn(self, bank: Bank) -> None:
        signal = make_signal(bank.north)
        ticket = take(signal)
        assert ticket is not None

        withdrawn = withdraw_recovered(signal_id=recover(signal).pk, now=NOW)

        ticket.refresh_from_db()
        assert withdrawn == [ticket]
        assert (ticket.state, ticket.end_reason, ticket.ended_at) == (
            State.WITHDRAWN, "recovered", NOW,
        )  # fmt: skip
        assert withdraw_recovered(signal_id=signal.pk, now=NOW) == []
        assert ticket.steps.count() == 2

    def test_a_snoozed_one_too(self, bank: Bank) -> None:
        signal = recover(make_signal(bank.north))
        ticket = make_ticket(
            bank.north, State.SNOOZED, signal=signal, snoozed_until=date(2026, 4, 1)
        )

        assert withdraw_recovered(signal_id=signal.pk, now=NOW) == [ticket]

    def test_an_accepted_ticket_never_ends_by_itself(self, bank: Bank) -> None:
        signal = recover(make_signal(bank.north))
        ticket = make_ticket(bank.north, State.PLAN, signal=signal, owner=bank.mei)

        assert withdraw_recovered(signal_id=signal.pk, now=NOW) == []

        ticket.refresh_from_db()
        assert (ticket.state, ticket.revision) == (State.PLAN, 1)

    def test_it_stays_while_another_of_its_signals_lasts(self, bank: Bank) -> None:
        north, region = make_signal(bank.north), make_signal(bank.region)
        ticket = take(north)
        take(region)

        assert withdraw_recovered(signal_id=recover(north).pk, now=NOW) == []
        assert withdraw_recovered(signal_id=recover(region).pk, now=NOW) == [ticket]

    def test_what_a_person_proposed_stays(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, proposed_by=bank.li)
        signal = make_signal(bank.north)
        take(signal)

        assert withdraw_recovered(signal_id=recover(signal).pk, now=NOW) == []

        ticket.refresh_from_db()
        assert ticket.state == State.PROPOSED

    def test_a_parent_goes_with_the_last_of_its_children(self, bank: Bank) -> None:
        signals = [make_signal(unit) for unit in (bank.north, bank.south, bank.east)]
        for signal in signals:
            take(signal)
        parent = Ticket.objects.get(parent=None)

        counts = [len(withdraw_recovered(signal_id=recover(s).pk, now=NOW)) for s in signals]

        parent.refresh_from_db()
        assert counts == [1, 1, 2]
        assert parent.state == State.WITHDRAWN
