"""Setting a baseline anew: by a person, with a reason, and never twice over the same periods."""

from datetime import date

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotFound, NotPermitted
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal, system_principal
from sqcore.monitoring.models import Annotation, Baseline, Signal
from sqcore.monitoring.queries import baseline_at, baselines_of
from sqcore.monitoring.services import annotate, decide_baseline, propose_baseline
from sqcore.org.models import Unit
from sqcore.org.queries import principal_for
from sqcore.tests.factories import give_role, make_unit, make_user
from sqcore.tests.monitoring.series import CENTRE, SIGMA, Series, make_series, quiet, shifted

pytestmark = pytest.mark.django_db

REASON = "Two more desks are open."


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


@pytest.fixture
def bank(north: Unit) -> Series:
    """Weeks 1 to 40 wait 9 minutes, weeks 41 to 60 3 sigma less; passed over."""
    bank = make_series()
    bank.put(north, shifted(quiet(60), -3, since=41))
    bank.watch(60)
    return bank


def somebody(username: str, role: Role, unit: Unit | None = None) -> Principal:
    user = make_user(username)
    give_role(user, role, unit)
    return principal_for(user, on=date(2025, 1, 1))


def propose(
    bank: Series,
    unit: Unit,
    by: Principal,
    *,
    first: int = 41,
    last: int = 60,
    applies: int = 61,
    reason: str = REASON,
    reference: str = "",
) -> Baseline:
    return propose_baseline(
        key=bank.key(unit),
        starts_on=bank.start(first),
        ends_on=bank.start(last + 1),
        applies_from=bank.start(applies),
        reason=reason,
        by=by,
        now=bank.after(60),
        reference=reference,
    )


def test_who_may_approve_sets_it_at_once(bank: Series, north: Unit) -> None:
    quality = somebody("quality", Role.ANALYST)

    made = propose(bank, north, quality)

    assert (made.state, made.origin, made.reason) == ("in_force", "person", REASON)
    assert made.n == 20
    assert made.centre == pytest.approx(CENTRE - 3 * SIGMA)
    assert made.spread == pytest.approx(SIGMA)
    assert (made.proposed_by, made.decided_by) == (quality.user, quality.user)
    assert made.decided_at == bank.after(60)
    held = baselines_of(bank.key(north))
    assert [each.origin for each in held] == ["first", "person"]
    assert baseline_at(held, bank.start(26)) is None
    assert baseline_at(held, bank.start(60)) == held[0]
    assert baseline_at(held, bank.start(61)) == held[1]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("baseline.set", f"baseline:{made.pk}")


def test_a_manager_proposes_and_another_person_decides(bank: Series, north: Unit) -> None:
    mei = somebody("mei", Role.MANAGER, north)
    quality = somebody("quality", Role.ANALYST)

    made = propose(bank, north, mei)

    assert (made.state, made.decided_by) == ("proposed", None)
    assert list(Baseline.objects.visible_to(quality).filter(state="proposed")) == [made]
    assert len(baselines_of(bank.key(north))) == 1
    decided = decide_baseline(baseline_id=made.pk, accept=True, by=quality, now=bank.after(60))
    assert (decided.state, decided.decided_by) == ("in_force", quality.user)
    assert len(baselines_of(bank.key(north))) == 2
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["baseline.proposed", "baseline.accepted"]


def test_one_that_comes_from_a_ticket_is_decided_by_somebody_else(
    bank: Series, north: Unit
) -> None:
    quality = somebody("quality", Role.ANALYST)
    made = propose(bank, north, quality, reference="ticket:12")
    assert (made.state, made.origin, made.reference) == ("proposed", "ticket", "ticket:12")

    with pytest.raises(NotPermitted, match="Another person"):
        decide_baseline(baseline_id=made.pk, accept=True, by=quality, now=bank.after(60))

    made.refresh_from_db()
    assert made.state == "proposed"


def test_a_declined_one_judges_nothing_and_is_decided(bank: Series, north: Unit) -> None:
    mei = somebody("mei", Role.MANAGER, north)
    quality = somebody("quality", Role.ANALYST)
    made = propose(bank, north, mei)

    decide_baseline(baseline_id=made.pk, accept=False, by=quality, now=bank.after(60))

    assert len(baselines_of(bank.key(north))) == 1
    with pytest.raises(Conflict, match="decided already"):
        decide_baseline(baseline_id=made.pk, accept=True, by=quality, now=bank.after(60))
    # Another proposal is welcome.
    assert propose(bank, north, mei).state == "proposed"


def test_the_next_pass_judges_by_it(bank: Series, north: Unit) -> None:
    propose(bank, north, somebody("quality", Role.ANALYST))
    # 9 minutes were the centre once; now they are 3 sigma too much.
    bank.put(north, quiet(66)[60:], first=61)

    bank.watch(66)

    signal = Signal.objects.get()
    # Weeks 61 (odd), 62, 63, 64: 1.936, 5, 6.936, 10.
    assert (signal.since_on, signal.alarm_on) == (bank.start(61), bank.start(64))
    assert signal.baseline.origin == "person"


@pytest.mark.parametrize(
    ("over", "refusal", "said"),
    [
        ({"first": 50}, InvalidInput, "needs 12 periods with a figure; there are 11"),
        ({"applies": 60}, InvalidInput, "overlap"),
        ({"first": 55, "last": 75, "applies": 76}, InvalidInput, "there are 6"),
        ({"last": 61, "applies": 62}, InvalidInput, "without a figure"),
        ({"reason": "  "}, InvalidInput, "Say why"),
        ({"first": 10, "last": 26, "applies": 27}, Conflict, "is in force"),
    ],
)
def test_a_baseline_that_says_nothing_is_refused(
    bank: Series, north: Unit, over: dict[str, int], refusal: type[DomainError], said: str
) -> None:
    quality = somebody("quality", Role.ANALYST)

    with pytest.raises(refusal, match=said):
        propose(bank, north, quality, **over)  # type: ignore[arg-type]  # fields by name

    assert Baseline.objects.count() == 1
    assert not AuditEntry.objects.exists()


def test_gaps_are_refused(bank: Series) -> None:
    south, quality = make_unit("south"), somebody("quality", Role.ANALYST)
    values = quiet(60)
    values[49] = None
    bank.put(south, values)
    with pytest.raises(InvalidInput, match="without a figure"):
        propose(bank, south, quality)
    assert not Baseline.objects.filter(unit=south).exists()


def test_excluded_weeks_are_not_in_the_numbers(bank: Series, north: Unit) -> None:
    annotate(
        kind=Annotation.Kind.EXCLUSION, unit=north, code="", starts_on=bank.start(55),
        ends_on=bank.start(57), text="Strike", by=system_principal(), now=bank.after(60),
    )  # fmt: skip

    assert propose(bank, north, somebody("quality", Role.ANALYST)).n == 18


def test_a_series_that_never_varies_has_no_limits(bank: Series) -> None:
    south, quality = make_unit("south"), somebody("quality", Role.ANALYST)
    bank.put(south, [4.0] * 60)

    with pytest.raises(InvalidInput, match="all the same"):
        propose(bank, south, quality)

    assert not Baseline.objects.filter(unit=south).exists()


def test_one_proposal_waits_at_a_time(bank: Series, north: Unit) -> None:
    mei = somebody("mei", Role.MANAGER, north)
    propose(bank, north, mei)

    with pytest.raises(Conflict, match="waits"):
        propose(bank, north, mei)

    assert Baseline.objects.filter(state="proposed").count() == 1


def test_a_proposal_that_another_baseline_overtook_is_not_accepted(
    bank: Series, north: Unit
) -> None:
    mei = somebody("mei", Role.MANAGER, north)
    quality, other = somebody("quality", Role.ANALYST), somebody("other", Role.ANALYST)
    made = propose(bank, north, mei)
    Baseline.objects.filter(origin="first").update(applies_from=bank.start(61))

    with pytest.raises(Conflict, match="in force"):
        decide_baseline(baseline_id=made.pk, accept=True, by=quality, now=bank.after(60))

    made.refresh_from_db()
    assert (made.state, made.decided_by) == ("proposed", None)
    declined = decide_baseline(baseline_id=made.pk, accept=False, by=other, now=bank.after(60))
    assert declined.state == "declined"


def test_nobody_sets_or_decides_what_is_not_theirs(bank: Series, north: Unit) -> None:
    mei = somebody("mei", Role.MANAGER, north)
    made = propose(bank, north, mei)
    chen = somebody("chen", Role.MANAGER, make_unit("south"))
    li = somebody("li", Role.STAFF, north)

    with pytest.raises(NotFound):
        propose(bank, north, chen)
    with pytest.raises(NotPermitted):
        propose(bank, north, li)
    with pytest.raises(NotPermitted):
        propose(bank, north, system_principal())
    for by, refusal in ((chen, NotFound), (li, NotPermitted), (mei, NotPermitted)):
        with pytest.raises(refusal):
            decide_baseline(baseline_id=made.pk, accept=True, by=by, now=bank.after(60))
    with pytest.raises(NotPermitted):
        decide_baseline(baseline_id=made.pk, accept=True, by=system_principal(), now=bank.after(60))

    assert list(Baseline.objects.filter(state="proposed")) == [made]
    assert list(Baseline.objects.visible_to(chen)) == []
