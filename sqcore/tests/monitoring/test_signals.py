"""The life of a signal: found, ongoing, over, back again, muted; told of once an episode."""

from datetime import date, timedelta

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal, Scope, system_principal
from sqcore.monitoring.models import Annotation, Baseline, Signal
from sqcore.monitoring.queries import note_of
from sqcore.monitoring.services import (
    annotate,
    mute_signal,
    propose_baseline,
    unmute_signal,
)
from sqcore.monitoring.watching import fingerprint_of
from sqcore.org.models import Unit
from sqcore.org.queries import local_day, principal_for
from sqcore.tests.factories import give_role, make_principal, make_unit, make_user
from sqcore.tests.monitoring.series import MIDDLE, SIGMA, Series, leaf, make_series, quiet, shifted

pytestmark = pytest.mark.django_db


def story(signal: Signal) -> list[tuple[str, int, date]]:
    rows = signal.history.order_by("period_on", "id")
    return [(row.kind, row.episode, row.period_on) for row in rows]


def told() -> list[tuple[str, int]]:
    rows = OutboxEvent.objects.filter(kind__startswith="monitoring.").order_by("id")
    return [(row.kind.split(".")[-1], row.payload["episode"]) for row in rows]


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


@pytest.fixture
def bank() -> Series:
    return make_series()


def manager_of(unit: Unit | None, username: str = "mei", role: Role = Role.MANAGER) -> Principal:
    user = make_user(username)
    give_role(user, role, unit)
    return principal_for(user, on=date(2025, 1, 1))


def test_finds_a_shift_at_the_week_that_passes_the_limit(bank: Series, north: Unit) -> None:
    bank.put(north, shifted(quiet(42), 3, since=40))

    bank.watch(41)
    assert not Signal.objects.exists()
    watched = bank.watch(42)

    signal = Signal.objects.get()
    assert (signal.state, signal.direction, signal.episode) == ("new", "high", 1)
    assert (signal.since_on, signal.alarm_on, signal.last_on) == (
        bank.start(40), bank.start(42), bank.start(42),
    )  # fmt: skip
    # 3.064 + 1.936 + 3.064, the sums of `shifted`; week 42 is an even one: 3 sigma and 1 minute.
    assert signal.height == pytest.approx(7.5 + 1 / SIGMA)
    assert signal.shift == pytest.approx(3 * SIGMA + 1)
    assert signal.shift_sigma == pytest.approx(3 + 1 / SIGMA)
    assert signal.baseline == Baseline.objects.get()
    assert signal.found_at == bank.after(42)
    assert story(signal) == [("found", 1, bank.start(42))]
    assert told() == [("raised", 1)]
    assert (watched.found_so_far, watched.open_signals) == (1, 1)


def test_the_fingerprint_names_the_problem_and_no_period(bank: Series, north: Unit) -> None:
    bank.put(north, shifted(quiet(42), 3, since=40))
    bank.watch(42)

    # printf '1|bank|waiting|north|week|high|level' | sha256sum
    assert Signal.objects.get().fingerprint == fingerprint_of(
        system="bank", code="waiting", unit="north", grain="week", direction="high"
    )
    assert Signal.objects.get().fingerprint.startswith("9c7d5ee0fd8f6f02")


def test_the_next_week_makes_it_ongoing_and_tells_nobody_again(bank: Series, north: Unit) -> None:
    bank.put(north, shifted(quiet(44), 3, since=40))
    bank.replay(42, 44)

    signal = Signal.objects.get()
    assert (signal.state, signal.last_on) == ("ongoing", bank.start(44))
    # Weeks 42 to 44 are 10, 8 and 10 minutes, and 3 sigma more.
    assert signal.shift == pytest.approx(3 * SIGMA + 1 / 3)
    assert story(signal) == [("found", 1, bank.start(42))]
    assert told() == [("raised", 1)]


def test_a_shift_that_lasts_alarms_again_after_13_weeks(bank: Series, north: Unit) -> None:
    bank.put(north, shifted(quiet(60), 3, since=40))
    bank.replay(42, 60)

    signal = Signal.objects.get()
    assert story(signal) == [("found", 1, bank.start(42)), ("continues", 1, bank.start(56))]
    assert (signal.state, signal.alarm_on) == ("ongoing", bank.start(42))
    assert told() == [("raised", 1)]


def test_is_over_when_eight_weeks_are_near_the_centre_again(bank: Series, north: Unit) -> None:
    """Of weeks 49 to 56 two are 3 sigma up: their mean is .75; a week earlier it is 1.125."""
    bank.put(north, shifted(quiet(60), 3, since=40, until=50))
    bank.replay(42, 55)
    assert Signal.objects.get().state == "ongoing"

    watched = bank.watch(56)

    signal = Signal.objects.get()
    assert (signal.state, signal.recovered_on) == ("recovered", bank.start(56))
    assert story(signal)[-1] == ("recovered", 1, bank.start(56))
    assert told() == [("raised", 1), ("recovered", 1)]
    assert (watched.found_so_far, watched.open_signals) == (1, 0)


def test_is_not_over_before_eight_weeks_after_the_alarm(bank: Series, north: Unit) -> None:
    bank.put(north, shifted(quiet(60), 3, since=40, until=42))

    bank.replay(42, 49)
    assert Signal.objects.get().state == "ongoing"
    bank.watch(50)

    assert Signal.objects.get().recovered_on == bank.start(50)


def test_who_comes_back_is_the_same_signal_in_a_new_episode(bank: Series, north: Unit) -> None:
    bank.put(north, shifted(shifted(quiet(75), 3, since=40, until=50), 3, since=70))

    bank.replay(30, 75)

    signal = Signal.objects.get()
    assert (signal.state, signal.episode) == ("ongoing", 2)
    assert (signal.since_on, signal.alarm_on) == (bank.start(70), bank.start(72))
    assert signal.recovered_on is None
    assert story(signal) == [
        ("found", 1, bank.start(42)),
        ("recovered", 1, bank.start(56)),
        ("came_back", 2, bank.start(72)),
    ]
    assert told() == [("raised", 1), ("recovered", 1), ("raised", 2)]


def test_of_what_came_and_went_before_the_first_pass_nobody_is_told(
    bank: Series, north: Unit
) -> None:
    bank.put(north, shifted(quiet(60), 3, since=40, until=50))

    bank.watch(60)

    assert Signal.objects.get().state == "recovered"
    assert [kind for kind, *_rest in story(Signal.objects.get())] == ["found", "recovered"]
    assert told() == []


def test_only_the_side_of_concern_alarms(bank: Series, north: Unit) -> None:
    bank.put(north, shifted(quiet(60), -3, since=40))
    bank.watch(60)
    assert not Signal.objects.exists()

    scores = make_series(leaf("solved", worst=0.0, best=30.0), code="scores")
    scores.put(north, shifted(quiet(60), -3, since=40), code="solved")
    scores.watch(41)
    scores.watch(60)

    signal = Signal.objects.get()
    # Turned round, odd weeks grow by 3.064: 1.936 + 3.064 + 1.936, and week 43 passes 8.
    assert (signal.direction, signal.alarm_on) == ("low", scores.start(43))
    assert (signal.shift < 0, signal.shift_sigma < 0) == (True, True)


def test_excluded_weeks_neither_count_nor_reset(bank: Series, north: Unit) -> None:
    bank.put(north, shifted(quiet(50), 3, since=40))
    annotate(
        kind=Annotation.Kind.EXCLUSION, unit=north, code="waiting", starts_on=bank.start(41),
        ends_on=bank.start(43), text="Half the desks were closed.", by=system_principal(),
        now=bank.after(42),
    )  # fmt: skip

    bank.watch(50)

    signal = Signal.objects.get()
    # 3.064 in week 40, nothing in 41 and 42, 1.936 and 3.064 in 43 and 44.
    assert (signal.since_on, signal.alarm_on) == (bank.start(40), bank.start(44))


def test_gaps_are_skipped(bank: Series, north: Unit) -> None:
    values = shifted(quiet(50), 3, since=40)
    values[40] = values[41] = None
    bank.put(north, values)

    bank.watch(50)

    assert Signal.objects.get().alarm_on == bank.start(44)


def test_a_week_that_the_whole_bank_lacks_is_a_gap_too(bank: Series, north: Unit) -> None:
    bank.put(north, quiet(39))
    bank.put(north, shifted(quiet(50), 3, since=40)[41:], first=42)

    bank.watch(50)

    # Week 41 has no run: 3.064 in 42 (week 40 lacks too), 1.936 in 43, 3.064 in 44.
    signal = Signal.objects.get()
    assert (signal.since_on, signal.alarm_on) == (bank.start(42), bank.start(44))


def test_late_data_that_leave_nothing_of_it_let_it_recover_with_a_note(
    bank: Series, north: Unit
) -> None:
    bank.put(north, shifted(quiet(42), 3, since=40))
    bank.watch(42)
    for number in (40, 41, 42):
        bank.revise(north, number, 9.0)

    bank.watch(42, later=timedelta(hours=1))

    signal = Signal.objects.get()
    assert (signal.state, signal.recovered_on) == ("recovered", bank.start(42))
    assert [kind for kind, *_rest in story(signal)] == ["found", "recovered"]
    event = signal.history.get(kind="recovered")
    assert (event.note, note_of(event)) == (
        "revised", "The figures as they are now leave nothing of it",
    )  # fmt: skip
    assert told() == [("raised", 1), ("recovered", 1)]


def test_late_data_that_move_the_alarm_leave_the_signal_as_it_was_found(
    bank: Series, north: Unit
) -> None:
    bank.put(north, shifted(quiet(44), 3, since=40))
    bank.watch(42)
    bank.revise(north, 40, 9.0)

    bank.watch(44)

    signal = Signal.objects.get()
    assert (signal.alarm_on, signal.since_on) == (bank.start(42), bank.start(40))
    assert story(signal) == [("found", 1, bank.start(42))]
    assert told() == [("raised", 1)]


def test_a_signal_of_an_indicator_that_is_no_longer_watched_ends_with_a_note(
    north: Unit,
) -> None:
    bank = make_series(leaf("waiting"), leaf("errors"))
    bank.put(north, shifted(quiet(44), 3, since=40))
    bank.watch(43)
    newest = bank.runs[bank.start(44)]
    only_errors = make_series(leaf("errors"), code="other").definition
    newest.definition = only_errors.as_json()
    newest.save()

    bank.watch(44)

    signal = Signal.objects.get()
    assert signal.state == "recovered"
    assert signal.history.get(kind="recovered").note == "not_watched"


def test_a_signal_ends_when_its_indicator_is_best_in_the_middle_from_now_on(north: Unit) -> None:
    bank = make_series(leaf("waiting"))
    bank.put(north, shifted(quiet(44), 3, since=40))
    bank.watch(43)
    newest = bank.runs[bank.start(44)]
    middle = make_series(MIDDLE, code="other").definition
    newest.definition = middle.as_json()
    newest.save()

    bank.watch(44)

    signal = Signal.objects.get()
    assert signal.state == "recovered"
    assert signal.history.get(kind="recovered").note == "not_watched"


def test_a_baseline_set_anew_takes_over_and_the_sum_begins_again(bank: Series, north: Unit) -> None:
    """The shift is the new normal: under the old baseline it would alarm every 13 weeks."""
    bank.put(north, shifted(quiet(100), 3, since=40))
    bank.replay(42, 66)
    analyst = manager_of(None, "quality", Role.ANALYST)
    propose_baseline(
        key=bank.key(north), starts_on=bank.start(53), ends_on=bank.start(67),
        applies_from=bank.start(67), reason="The branch took over another one.", by=analyst,
        now=bank.after(66),
    )  # fmt: skip

    bank.replay(67, 100)

    signal = Signal.objects.get()
    # Of the eight newest the last two weeks that the old baseline judges are 3 sigma up.
    assert (signal.state, signal.recovered_on) == ("recovered", bank.start(72))
    assert [kind for kind, *_rest in story(signal)] == ["found", "continues", "recovered"]
    assert Baseline.objects.count() == 2


def signal_at(unit: Unit, bank: Series) -> Signal:
    bank.put(unit, shifted(quiet(44), 3, since=40))
    bank.watch(44)
    return Signal.objects.get(unit=unit)


def test_a_muted_signal_is_watched_on_and_says_who_and_until_when(
    bank: Series, north: Unit
) -> None:
    mei, now = manager_of(north), bank.after(44)
    signal = signal_at(north, bank)
    until = local_day(now) + timedelta(days=30)

    mute_signal(signal_id=signal.pk, until=until, reason=" The hall is rebuilt. ", by=mei, now=now)

    signal.refresh_from_db()
    assert (signal.muted_by, signal.muted_until, signal.muted_at) == (mei.user, until, now)
    assert signal.mute_reason == "The hall is rebuilt."
    assert (signal.is_muted_on(until - timedelta(days=1)), signal.is_muted_on(until)) == (
        True, False,
    )  # fmt: skip
    event = signal.history.get(kind="muted")
    assert (event.by, event.note, event.episode) == (mei.user, "The hall is rebuilt.", 1)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("signal.muted", f"signal:{signal.pk}")
    assert entry.details == {
        "unit": north.pk, "code": "waiting", "episode": 1, "until": until.isoformat(),
    }  # fmt: skip
    assert list(Signal.objects.not_muted_on(local_day(now))) == []

    bank.put(north, [99.0], first=45)
    bank.watch(45)

    signal.refresh_from_db()
    assert (signal.last_on, signal.muted_until) == (bank.start(45), until)


def test_unmuting_ends_it(bank: Series, north: Unit) -> None:
    mei, now = manager_of(north), bank.after(44)
    signal = signal_at(north, bank)
    with pytest.raises(Conflict, match="not muted"):
        unmute_signal(signal_id=signal.pk, by=mei, now=now)
    until = local_day(now) + timedelta(days=1)
    mute_signal(signal_id=signal.pk, until=until, reason="Known", by=mei, now=now)

    unmute_signal(signal_id=signal.pk, by=mei, now=now)

    signal.refresh_from_db()
    assert (signal.muted_until, signal.muted_by, signal.mute_reason) == (None, None, "")
    assert signal.history.filter(kind="unmuted").count() == 1
    assert AuditEntry.objects.filter(action="signal.unmuted").count() == 1


@pytest.mark.parametrize(
    ("days", "reason"), [(0, "Known"), (-3, "Known"), (367, "Known"), (5, "  "), (5, "x" * 501)]
)
def test_a_muting_without_a_reason_or_a_near_end_is_refused(
    bank: Series, north: Unit, days: int, reason: str
) -> None:
    mei, now = manager_of(north), bank.after(44)
    signal = signal_at(north, bank)

    with pytest.raises(InvalidInput):
        mute_signal(
            signal_id=signal.pk,
            until=local_day(now) + timedelta(days=days),
            reason=reason,
            by=mei,
            now=now,
        )

    signal.refresh_from_db()
    assert signal.muted_until is None
    assert not AuditEntry.objects.exists()
    assert not signal.history.filter(kind="muted").exists()


def test_a_signal_that_is_over_is_not_muted(bank: Series, north: Unit) -> None:
    mei = manager_of(north)
    bank.put(north, shifted(quiet(60), 3, since=40, until=50))
    bank.watch(60)
    signal, now = Signal.objects.get(), bank.after(60)

    with pytest.raises(Conflict, match="over"):
        mute_signal(
            signal_id=signal.pk, until=local_day(now) + timedelta(days=3), reason="Known",
            by=mei, now=now,
        )  # fmt: skip

    signal.refresh_from_db()
    assert signal.muted_until is None


def test_nobody_mutes_what_is_not_theirs(bank: Series, north: Unit) -> None:
    signal, now = signal_at(north, bank), bank.after(44)
    chen = manager_of(make_unit("south"), "chen")
    li = manager_of(north, "li", Role.STAFF)
    token = make_principal(
        {
            Permission.MANAGE_SIGNALS: Scope(everywhere=True),
            Permission.VIEW_RESULTS: Scope(everywhere=True),
        },
        key="token:1",
    )
    until = local_day(now) + timedelta(days=3)

    for by, refusal in ((chen, NotFound), (li, NotPermitted), (token, NotPermitted)):
        with pytest.raises(refusal):
            mute_signal(signal_id=signal.pk, until=until, reason="Known", by=by, now=now)
        with pytest.raises((refusal, Conflict)):
            unmute_signal(signal_id=signal.pk, by=by, now=now)

    signal.refresh_from_db()
    assert signal.muted_until is None
    assert not AuditEntry.objects.exists()
