"""Plain makers for tests of incentives: a quarter with results, scores, a scheme in force."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from sqcore.base.periods import Grain
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.org.models import Staff, Unit
from sqcore.performance.models import ResultsPolicy, ResultsRun, StaffResult
from sqcore.performance.sources import PERSON_SOURCES, PersonAnswers, PersonMeasure
from sqcore.tests.factories import give_role, make_staff, make_user
from training.incentives.deciding import approve_proposal, review_proposal
from training.incentives.models import LedgerEntry, Proposal, Scheme
from training.incentives.proposing import propose_period
from training.incentives.schemes import publish_version, save_scheme, try_on_history, write_version
from training.tests.factories import Bank

QUARTER = date(2026, 1, 1)
CLOSED = date(2026, 4, 1)
APRIL = datetime(2026, 4, 2, 9, 0, tzinfo=UTC)
"""The day after the first quarter."""
NEW_YEAR = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""When rules for the first quarter are published."""
OVERALL = "servqual/overall"
PAY = [
    {"rule": "unit-result", "amount": 70_000, "system": "five"},
    {"rule": "result-linear", "amount": 30_000, "measure": OVERALL},
]


class Questions:
    """A source that knows one measure, on a scale of 1 to 5, and no answers."""

    key = "tests"

    def measures(self) -> list[PersonMeasure]:
        return [PersonMeasure(OVERALL, {"en": "Overall"}, 1.0, 5.0, (), is_overall=True)]

    def collect(self, **_: Any) -> PersonAnswers:
        raise NotImplementedError


@contextmanager
def questions() -> Iterator[None]:
    """Let this be all that is asked about a person."""
    before = dict(PERSON_SOURCES._offers)
    PERSON_SOURCES._offers.clear()
    PERSON_SOURCES.register(Questions())
    yield
    PERSON_SOURCES._offers.clear()
    PERSON_SOURCES._offers.update(before)


def make_run(*, ends_on: date = CLOSED) -> ResultsRun:
    policy, _is_new = ResultsPolicy.objects.get_or_create(
        number=1, defaults={"valid_from": date(2020, 1, 1), "made_at": NEW_YEAR}
    )
    return ResultsRun.objects.create(
        ends_on=ends_on, policy=policy, input_hash="", result_hash="", computed_at=APRIL
    )


def result(run: ResultsRun, staff: Staff, unit: Unit, estimate: float, **over: Any) -> StaffResult:
    """A result that may be used for pay unless told otherwise."""
    fields: dict[str, Any] = {
        "post": staff.assignments.get().post,
        "measure": OVERALL,
        "starts_on": date(2025, 4, 1),
        "n": 90,
        "raw": estimate,
        "adjusted": estimate,
        "estimate": estimate,
        "sd": 0.1,
        "low": estimate - 0.2,
        "high": estimate + 0.2,
        "verdict": StaffResult.Verdict.ALIKE,
        "gate": StaffResult.Gate.PAY,
    }
    return StaffResult.objects.create(run=run, staff=staff, unit=unit, **{**fields, **over})


def make_system(code: str = "five") -> SystemVersion:
    system = IndicatorSystem.objects.create(code=code, name={"en": "Five"}, is_active=True)
    return SystemVersion.objects.create(system=system, number=1, since=date(2020, 1, 1))


def scores(version: SystemVersion, of: Mapping[Unit, float], *, start: date = QUARTER) -> None:
    """The composites of units in a quarter."""
    run = EvaluationRun.objects.create(
        system=version.system,
        version=version,
        grain=Grain.QUARTER,
        starts_on=start,
        ends_on=CLOSED,
        is_current=True,
        state=EvaluationRun.State.PUBLISHED,
        reason=EvaluationRun.Reason.CLOSED,
        created_at=APRIL,
        published_at=APRIL,
    )
    for unit, score in of.items():
        KpiValue.objects.create(
            run=run,
            is_current=True,
            system=version.system,
            grain=Grain.QUARTER,
            starts_on=start,
            unit=unit,
            kind=KpiValue.Kind.COMPOSITE,
            code="composite",
            status=KpiValue.Status.OK,
            score=score,
            score_low=score - 2,
            score_high=score + 2,
            n=200,
        )


def scheme_in_force(
    bank: Bank,
    *,
    rules: Sequence[Mapping[str, Any]] = PAY,
    kind: str = "pay",
    code: str = "quarter",
    budget: int = 1_000_000,
) -> Scheme:
    """A scheme whose rules hold from the first quarter of 2026 on."""
    hua = bank.as_(bank.hua)
    scheme = save_scheme(
        code=code,
        name={"en": "Service bonus"},
        kind=kind,
        grain="quarter",
        currency="CNY",
        budget=budget,
        by=hua,
        now=NEW_YEAR,
    )
    version = write_version(
        scheme_id=scheme.pk, rules=rules, valid_from=QUARTER, by=hua, now=NEW_YEAR
    )
    trial = try_on_history(
        version_id=version.pk, first=date(2025, 10, 1), end=QUARTER, by=hua, now=NEW_YEAR
    )
    trial.reviewed_at = NEW_YEAR  # reviewing has tests of its own
    trial.save()
    publish_version(version_id=version.pk, by=hua, now=NEW_YEAR)
    scheme.refresh_from_db()
    return scheme


def second_hr() -> tuple[User, Staff]:
    """Han, also of HR."""
    user = make_user("han")
    give_role(user, Role.HR)
    return user, make_staff("han", user=user)


def proposed(scheme: Scheme, staff: Staff) -> Proposal:
    """The proposal for this person and the first quarter."""
    propose_period(scheme_id=scheme.pk, period_start=QUARTER, now=APRIL)
    return Proposal.objects.get(scheme=scheme, staff=staff)


def reviewed(bank: Bank, proposal: Proposal) -> Proposal:
    return review_proposal(
        proposal_id=proposal.pk,
        agrees=True,
        reason="I saw it",
        by=bank.as_(bank.mei if proposal.unit == bank.north else bank.chen),
        now=APRIL,
    )


def granted(bank: Bank, proposal: Proposal) -> LedgerEntry:
    reviewed(bank, proposal)
    entry = approve_proposal(
        proposal_id=proposal.pk, agrees=True, reason="Right", by=bank.as_(bank.hua), now=APRIL
    )
    assert entry is not None
    return entry
