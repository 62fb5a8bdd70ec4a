"""What tickets, actions and standards say for the diagnosis of a unit."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from improvement.cycle.evidence import (
    ActionsInTime,
    AnswersToProposals,
    ProposeTicket,
    StandardsInForce,
)
from improvement.cycle.review import TicketsSection
from improvement.standards.models import Standard, StandardVersion
from improvement.tests.cycle.making import looked, make_action, promise
from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets.models import State
from improvement.verification.models import EffectCheck, Verdict
from sqcore.base.periods import Period
from sqcore.evaluation.models import EvaluationRun
from sqcore.identity.models import User
from sqcore.indicators.definition import SystemDefinition
from sqcore.org.models import Unit
from sqcore.reports.evidence import Question, Says
from sqcore.tests.factories import NOW, TODAY
from sqcore.tests.reports.making import WAIT, definition
from sqcore.tests.rest import make_run, make_system, make_value

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2025, 10, 6, 9, 0, tzinfo=NOW.tzinfo)


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def run(bank: Bank) -> EvaluationRun:
    run = make_run(make_system(), "2025-Q4")
    run.definition = definition(WAIT).as_json()
    run.tree = {str(bank.bank.pk): None, str(bank.region.pk): bank.bank.pk}
    run.tree |= {str(unit.pk): bank.region.pk for unit in (bank.north, bank.south, bank.east)}
    run.save()
    return run


def ask(bank: Bank, run: EvaluationRun, unit: Unit, who: User | None = None) -> Question:
    return Question(
        unit=unit,
        period=Period.parse("2025-Q4"),
        system=run.system,
        run=run,
        definition=SystemDefinition.from_json(run.definition),
        principal=bank.as_(who or bank.mei),
        today=TODAY,
    )


def brought_up(unit: Unit, count: int, *, after_days: int | None) -> None:
    """Tickets of October, ended after so many days; None: they wait still."""
    for _ in range(count):
        ended = None if after_days is None else LONG_AGO + timedelta(days=after_days)
        state = State.PROPOSED if ended is None else State.REJECTED
        make_ticket(unit, state, code="", proposed_at=LONG_AGO, moved_at=LONG_AGO, ended_at=ended)


class TestAnswers:
    def test_what_waits_longer_than_elsewhere_speaks_for_it(
        self, bank: Bank, run: EvaluationRun
    ) -> None:
        brought_up(bank.north, 8, after_days=None)
        brought_up(bank.north, 2, after_days=3)
        brought_up(bank.south, 10, after_days=14)

        said = AnswersToProposals().speak(ask(bank, run, bank.north))

        assert said is not None
        assert said.says == Says.FOR
        assert said.effect is not None
        assert said.effect.value == pytest.approx(0.8)
        assert said.effect.n == 10
        assert said.sentence == (
            "Of 10 tickets brought up here within a year 80 % had no answer after 14 days. "
            "Elsewhere it is 0 % of 10."
        )

    def test_without_others_a_fifth_is_tolerable(self, bank: Bank, run: EvaluationRun) -> None:
        brought_up(bank.north, 9, after_days=20)

        said = AnswersToProposals().speak(ask(bank, run, bank.north))

        assert said is not None
        assert said.effect is not None
        assert said.effect.value == pytest.approx(0.8)
        assert said.effect.low == pytest.approx(0.7009 - 0.2, abs=1e-4)

    def test_four_tickets_say_nothing(self, bank: Bank, run: EvaluationRun) -> None:
        brought_up(bank.north, 4, after_days=None)

        said = AnswersToProposals().speak(ask(bank, run, bank.north))

        assert said is not None
        assert (said.says, said.sentence, said.effect) == (Says.NOTHING, "", None)

    def test_what_the_machine_withdrew_needed_no_answer(
        self, bank: Bank, run: EvaluationRun
    ) -> None:
        for _ in range(6):
            make_ticket(
                bank.north, State.WITHDRAWN, code="", proposed_at=LONG_AGO, moved_at=LONG_AGO,
                ended_at=LONG_AGO + timedelta(days=60),
            )  # fmt: skip

        assert AnswersToProposals().speak(ask(bank, run, bank.north)) is None

    def test_tickets_of_others_are_not_told(self, bank: Bank, run: EvaluationRun) -> None:
        brought_up(bank.north, 9, after_days=None)

        said = AnswersToProposals().speak(ask(bank, run, bank.north, bank.chen))

        assert said is not None
        assert (said.says, said.effect) == (Says.NOTHING, None)


class TestActions:
    def test_late_ones_speak_for_it(self, bank: Bank, run: EvaluationRun) -> None:
        ticket = make_ticket(bank.north, State.DO, owner=bank.li)
        for number in range(6):
            make_action(ticket, text=f"Action {number}", due_on=date(2025, 11, 3))

        said = ActionsInTime().speak(ask(bank, run, bank.north))

        assert said is not None
        assert said.says == Says.FOR
        assert said.effect is not None
        assert said.effect.n == 6


class TestStandards:
    def test_what_misses_its_target_without_a_standard_is_counted(
        self, bank: Bank, run: EvaluationRun
    ) -> None:
        _standard(bank, "other")
        make_value(run, bank.north, kind="indicator", code="wait", value=13.0, low=12.5, high=13.5)

        said = StandardsInForce().speak(ask(bank, run, bank.north))

        assert said is not None
        assert (said.says, said.supports_only) == (Says.FOR, True)
        assert said.effect is not None
        assert (said.effect.value, said.effect.low, said.effect.n) == (1.0, None, 1)

    def test_one_in_force_speaks_against_it(self, bank: Bank, run: EvaluationRun) -> None:
        _standard(bank, "wait")
        make_value(run, bank.north, kind="indicator", code="wait", value=13.0, low=12.5, high=13.5)

        said = StandardsInForce().speak(ask(bank, run, bank.north))

        assert said is not None
        assert said.says == Says.AGAINST

    @pytest.mark.parametrize(
        ("over", "is_missed"),
        [
            ({"worst": 15.0, "best": 5.0, "shape": "target", "limit": 9.0}, True),
            ({"worst": 1.0, "best": 9.0, "shape": "nominal", "dead_band": 0.0}, False),
        ],
    )
    def test_only_what_has_a_better_side_misses_its_target(
        self, bank: Bank, run: EvaluationRun, over: dict[str, Any], is_missed: bool
    ) -> None:
        _standard(bank, "calls")
        run.definition = definition(replace(WAIT, **over)).as_json()
        run.save()
        make_value(run, bank.north, kind="indicator", code="wait", value=13.0, low=12.5, high=13.5)

        said = StandardsInForce().speak(ask(bank, run, bank.north))

        assert said is not None
        assert (said.says == Says.FOR) == is_missed

    def test_where_none_is_kept_nothing_is_said(self, bank: Bank, run: EvaluationRun) -> None:
        said = StandardsInForce().speak(ask(bank, run, bank.north))

        assert said is not None
        assert said.says == Says.NOTHING


def _standard(bank: Bank, indicator: str) -> None:
    standard = Standard.objects.create(
        code=f"rule-{indicator}", title="Open a third counter", indicator=indicator,
        owner=bank.mei, created_at=NOW,
    )  # fmt: skip
    StandardVersion.objects.create(
        standard=standard, number=1, title="Open a third counter", text="At noon.",
        valid_from=date(2025, 7, 1), written_by=bank.mei, written_at=NOW, approved_by=bank.ana,
        approved_at=NOW,
    )  # fmt: skip


class TestNextStep:
    def test_leads_to_the_intake_with_what_was_found(self, bank: Bank, run: EvaluationRun) -> None:
        url = ProposeTicket().url(
            question=ask(bank, run, bank.north), cause="process", found=["A long wait."]
        )

        assert url == (
            "/tickets/new/?unit=north&description=Suspected+cause%3A+Process.%0AA+long+wait."
        )

    def test_is_not_offered_to_who_may_not(self, bank: Bank, run: EvaluationRun) -> None:
        question = ask(bank, run, bank.north, bank.chen)

        assert ProposeTicket().url(question=question, cause="process", found=[]) == ""


class TestReview:
    def test_lists_what_was_open_with_the_confirmed_verdict(
        self, bank: Bank, run: EvaluationRun
    ) -> None:
        ticket = make_ticket(bank.north, State.CHECK, owner=bank.li, proposed_at=LONG_AGO)
        looked(promise(ticket), Verdict.IMPROVED, confirmed_by=bank.ana)
        EffectCheck.objects.update(confirmed_at=LONG_AGO)
        make_ticket(bank.south, proposed_at=LONG_AGO, code="")
        make_ticket(bank.north, proposed_at=NOW, code="")

        context = TicketsSection().context(ask(bank, run, bank.north))

        assert context is not None
        rows = context["rows"]
        assert isinstance(rows, list)
        assert [row.ticket for row in rows] == [ticket]
        assert (rows[0].verdict, rows[0].between, rows[0].n) == ("Improved", "−1.60 – −0.90", 8)

    def test_is_not_for_who_sees_no_tickets_there(self, bank: Bank, run: EvaluationRun) -> None:
        assert TicketsSection().context(ask(bank, run, bank.north, bank.chen)) is None
