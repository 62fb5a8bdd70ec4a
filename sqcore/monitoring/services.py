"""What people do about series: muting signals, annotating, setting a baseline anew.

A baseline is never set anew by the software: its pass (`watching`) freezes the first one only.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.text import day
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.indicators.definition import COMPOSITE, IndicatorDefinition
from sqcore.indicators.models import Dimension, Indicator, IndicatorEpoch, IndicatorSystem
from sqcore.monitoring.kinds import (
    Drawn,
    Window,
    drawn_as,
    drawn_for,
    frozen_fields,
    is_even,
    suiting_kinds,
    uncut,
    window_of,
)
from sqcore.monitoring.models import (
    Annotation,
    Baseline,
    Kind,
    Signal,
    SignalEvent,
)
from sqcore.monitoring.passes import (
    leaves_of,
    standard_errors,
)
from sqcore.monitoring.queries import (
    SeriesKey,
    SeriesPoint,
    baselines_of,
    key_of,
    visible_series,
)
from sqcore.org.models import Unit
from sqcore.org.queries import local_day
from sqcore.stats.charts import ChartKind, Limits, freeze
from sqcore.stats.cusum import between_sigma

SHORTEST_BASELINE = 12
"""Usable periods that a baseline set by a person needs at the least."""
LONGEST_MUTE = timedelta(days=366)
LONGEST_REASON = 500
LONGEST_ANNOTATION = 300
EPOCH = "epoch:"
"""How the reference of what is written for an epoch begins."""


@transaction.atomic
def mute_signal(
    *, signal_id: int, until: date, reason: str, by: Principal, now: datetime
) -> Signal:
    """Let an open signal propose and tell nothing until this day, at most a year ahead.

    It is watched and shown all the same. Muting it again sets the day and the reason anew.
    raises: NotFound, NotPermitted, InvalidInput, Conflict when the signal is over
    """
    signal = _signal_for(by, signal_id)
    today = local_day(now)
    said = _said(reason, LONGEST_REASON, _("Say why the signal is muted."))
    if not today < until <= today + LONGEST_MUTE:
        raise InvalidInput(_("Mute a signal until a day to come, at most a year ahead."))
    if signal.state == Signal.State.RECOVERED:
        raise Conflict(_("This signal is over; there is nothing to mute."))
    signal.muted_at, signal.muted_until = now, until
    signal.muted_by, signal.mute_reason = _person(by), said
    signal.changed_at = now
    signal.save()
    _note(signal, SignalEvent.Kind.MUTED, signal.last_on, by=by, now=now, note=said)
    _record("signal.muted", signal, by, now, until=until.isoformat())
    return signal


@transaction.atomic
def unmute_signal(*, signal_id: int, by: Principal, now: datetime) -> Signal:
    """End the muting of a signal. raises: NotFound, NotPermitted, Conflict when it is not muted"""
    signal = _signal_for(by, signal_id)
    if not signal.is_muted_on(local_day(now)):
        raise Conflict(_("This signal is not muted."))
    signal.muted_at = signal.muted_until = signal.muted_by = None
    signal.mute_reason = ""
    signal.changed_at = now
    signal.save()
    _note(signal, SignalEvent.Kind.UNMUTED, signal.last_on, by=by, now=now)
    _record("signal.unmuted", signal, by, now)
    return signal


def _signal_for(by: Principal, signal_id: int) -> Signal:
    """Return the signal, locked, for somebody who may manage it."""
    signal = Signal.objects.visible_to(by).select_for_update().filter(pk=signal_id).first()
    if signal is None:
        raise NotFound(_("There is no such signal."))
    by.require(Permission.MANAGE_SIGNALS, unit_id=signal.unit_id)
    return signal


def _record(action: str, signal: Signal, by: Principal, now: datetime, **details: str) -> None:
    known = {"unit": signal.unit_id, "code": signal.code, "episode": signal.episode}
    record(
        action=action,
        subject=f"signal:{signal.pk}",
        by=by,
        now=now,
        details={**known, **details},
    )


@transaction.atomic
def annotate(
    *,
    kind: str,
    unit: Unit | None,
    code: str,
    starts_on: date,
    ends_on: date,
    text: str,
    by: Principal,
    now: datetime,
    reference: str = "",
) -> Annotation:
    """Write on the charts of a unit and all below it (None: of all) what happened in [starts_on,
    ends_on), for one code ("": for all).

    With a `reference` it is written once: the same again returns what stands there. What an
    exclusion takes out is judged anew by the next pass; because it changes what charts and checks
    say, it is for who may set baselines, and not for the manager whose numbers they are.
    raises: NotFound, NotPermitted (all units: whoever may everywhere), InvalidInput
    """
    if kind not in Annotation.Kind.values:
        raise InvalidInput(_("An annotation is an event, a change or an exclusion."))
    _allowed_at(by, unit, kind)
    said = _said(text, LONGEST_ANNOTATION, _("Say what happened."))
    if ends_on <= starts_on:
        raise InvalidInput(_("An annotation ends after it starts."))
    if code and not _is_known(code):
        raise InvalidInput(_("There is no indicator “%(code)s”.") % {"code": code[:80]})
    standing = _standing(kind, unit, code, starts_on, reference)
    if standing is not None:
        return standing
    made = Annotation.objects.create(
        kind=kind, unit=unit, code=code, starts_on=starts_on, ends_on=ends_on, text=said,
        reference=reference, created_by=by.user, created_at=now,
    )  # fmt: skip
    _record_annotation("annotation.written", made, by, now)
    return made


def mark_epoch(*, epoch_id: int, now: datetime) -> Annotation:
    """Write on all charts of an indicator that it measures something else from a day on. The
    software writes it, once, with the reason that somebody gave."""
    epoch = IndicatorEpoch.objects.select_related("indicator").get(pk=epoch_id)
    return annotate(
        kind=Annotation.Kind.CHANGE,
        unit=None,
        code=epoch.indicator.code,
        starts_on=epoch.starts_on,
        ends_on=epoch.starts_on + timedelta(days=1),
        text=(_("Measured otherwise from here on: %(reason)s") % {"reason": epoch.reason})[
            :LONGEST_ANNOTATION
        ],
        by=system_principal(),
        now=now,
        reference=f"{EPOCH}{epoch.pk}",
    )


def _standing(
    kind: str, unit: Unit | None, code: str, starts_on: date, reference: str
) -> Annotation | None:
    """Return what was written under this reference before."""
    if not reference:
        return None
    return Annotation.objects.filter(
        reference=reference, unit=unit, code=code, starts_on=starts_on, kind=kind
    ).first()


@transaction.atomic
def withdraw_annotation(*, annotation_id: int, by: Principal, now: datetime) -> Annotation:
    """Take an annotation off the charts; the row stays. What the software wrote for a ticket stays
    on the charts, too. raises: NotFound, NotPermitted, Conflict"""
    found = Annotation.objects.visible_to(by).filter(pk=annotation_id)
    annotation = found.select_for_update().first()
    if annotation is None:
        raise NotFound(_("There is no such annotation."))
    _allowed_at(by, annotation.unit, annotation.kind)
    if annotation.withdrawn_at is not None:
        raise Conflict(_("This annotation was withdrawn."))
    if annotation.reference.startswith(EPOCH):
        raise Conflict(_("From here on something else is measured; that stays on the charts."))
    if annotation.reference:
        raise Conflict(_("This change was made by a ticket; it stays on the charts."))
    annotation.withdrawn_by, annotation.withdrawn_at = by.user, now
    annotation.save(update_fields=["withdrawn_by", "withdrawn_at"])
    _record_annotation("annotation.withdrawn", annotation, by, now)
    return annotation


def _allowed_at(by: Principal, unit: Unit | None, kind: str) -> None:
    """Refuse who may not write on the charts of this unit; of all units, who may not everywhere."""
    excludes = kind == Annotation.Kind.EXCLUSION
    needed = Permission.APPROVE_BASELINES if excludes else Permission.MANAGE_SIGNALS
    scope = by.scope(needed)
    if unit is None and not scope.everywhere:
        raise NotPermitted(_("Only who looks after all units may write on the charts of all."))
    if unit is not None and unit.pk not in by.scope(Permission.VIEW_RESULTS):
        raise NotFound(_("There is no such unit."))
    if unit is not None:
        by.require(needed, unit_id=unit.pk)


def _is_known(code: str) -> bool:
    return (
        code == COMPOSITE
        or Indicator.objects.filter(code=code).exists()
        or Dimension.objects.filter(code=code).exists()
    )


def _record_annotation(action: str, annotation: Annotation, by: Principal, now: datetime) -> None:
    details = {
        "kind": annotation.kind,
        "unit": annotation.unit_id,
        "code": annotation.code,
        "starts_on": annotation.starts_on.isoformat(),
        "ends_on": annotation.ends_on.isoformat(),
    }
    record(action=action, subject=f"annotation:{annotation.pk}", by=by, now=now, details=details)


@transaction.atomic
def propose_baseline(
    *,
    key: SeriesKey,
    starts_on: date,
    ends_on: date,
    applies_from: date,
    reason: str,
    by: Principal,
    now: datetime,
    reference: str = "",
    kind: str = "",
) -> Baseline:
    """Freeze the limits of the periods in [starts_on, ends_on) to judge those from `applies_from`.

    Of a person who may approve baselines, and without the reference of a ticket, it is in force at
    once; else another one decides. What came before `applies_from` stays judged as it was. `kind`
    is a chart of `kinds.suiting_kinds`, "" for the one that the data ask for.
    raises: NotFound, NotPermitted (the software itself never sets a baseline anew), InvalidInput
        for periods that are too few, have gaps, never vary or overlap with what they judge, and
        for a kind of chart that they do not give,
        Conflict when a later baseline is in force, or one waits already
    """
    person = _person(by)
    points = visible_series(principal=by, key=key, through=local_day(now))
    may_decide = by.may(Permission.APPROVE_BASELINES, unit_id=key.unit_id)
    if not may_decide:
        by.require(Permission.MANAGE_SIGNALS, unit_id=key.unit_id)
    said = _said(reason, LONGEST_REASON, _("Say why the baseline is set anew."))
    window = _window(points, starts_on, ends_on, applies_from)
    _refuse_if_late(key, applies_from)
    if _waiting(key).exists():
        raise Conflict(_("A baseline of this series waits for a decision already."))
    at_once = may_decide and not reference
    made = Baseline.objects.create(
        system_id=key.system_id,
        unit_id=key.unit_id,
        code=key.code,
        grain=key.grain,
        starts_on=window[0].period.start,
        ends_on=window[-1].period.end,
        applies_from=applies_from,
        state=Baseline.State.IN_FORCE if at_once else Baseline.State.PROPOSED,
        origin=Baseline.Origin.TICKET if reference else Baseline.Origin.PERSON,
        reference=reference,
        reason=said,
        proposed_by=person,
        decided_by=person if at_once else None,
        created_at=now,
        decided_at=now if at_once else None,
        **_limits_of(key, window, kind),
    )
    _record_baseline("baseline.set" if at_once else "baseline.proposed", made, by, now)
    return made


def _window(
    points: Sequence[SeriesPoint], starts_on: date, ends_on: date, applies_from: date
) -> list[SeriesPoint]:
    """Return the periods of a baseline, or refuse them."""
    if applies_from < ends_on:
        raise InvalidInput(_("A baseline judges only periods after its own: they would overlap."))
    found = [point for point in points if starts_on <= point.period.start < ends_on]
    usable = [point for point in found if point.is_usable]
    if len(usable) < SHORTEST_BASELINE:
        raise InvalidInput(
            _("A baseline needs %(least)s periods with a figure; there are %(found)s.")
            % {"least": SHORTEST_BASELINE, "found": len(usable)}
        )
    if found[-1].period.end > ends_on:
        raise InvalidInput(_("A baseline ends where a period ends."))
    if any(point.value is None for point in found) or found[-1].period.end != ends_on:
        raise InvalidInput(_("There are periods without a figure among those of the baseline."))
    return found


def _limits_of(key: SeriesKey, points: Sequence[SeriesPoint], kind: str) -> dict[str, Any]:
    """Return the numbers of a baseline. raises: InvalidInput for a series that never varies, and
    for a kind of chart that does not suit it"""
    usable = [point for point in points if point.is_usable]
    values, n, low, high = (
        np.array([np.nan if n is None else float(n) for n in numbers])
        for numbers in zip(
            *((point.value, point.n, point.low, point.high) for point in usable), strict=True
        )
    )
    single = freeze(values, kind=ChartKind.XMR)
    if not single.status.usable:
        raise InvalidInput(_("The figures of these periods are all the same."))
    system = IndicatorSystem.objects.get(pk=key.system_id)
    leaf = leaves_of(system, key.grain).get(key.code)
    errors = standard_errors(*uncut(values, low, high, is_even(leaf)))
    between = between_sigma([single.spread], errors[None])
    window = window_of(
        leaf,
        values,
        n=np.nan_to_num(n),
        errors=errors,
        starts_on=points[0].period.start,
        ends_on=points[-1].period.end,
    )
    if not kind:
        found = drawn_for(leaf, window, single=single, unit_id=key.unit_id)
    elif (chosen := _chosen(kind, key, leaf, window, single)) is not None:
        found = chosen
    else:
        reason = _("The figures of these periods do not give such a chart.")
        raise InvalidInput(reason, problems=[Problem(reason, "kind")])
    return frozen_fields(found, single=single, between=float(between[0]), chosen=bool(kind))


def _chosen(
    kind: str, key: SeriesKey, leaf: IndicatorDefinition | None, window: Window, single: Limits
) -> Drawn | None:
    """Return the limits of the chart that a person chose; None where it does not suit."""
    if kind not in suiting_kinds(leaf, window):
        return None
    return drawn_as(Kind(kind), leaf, window, single=single, unit_id=key.unit_id)


def _waiting(key: SeriesKey) -> QuerySet[Baseline]:
    return Baseline.objects.filter(
        system_id=key.system_id,
        grain=key.grain,
        unit_id=key.unit_id,
        code=key.code,
        state=Baseline.State.PROPOSED,
    )


def _refuse_if_late(key: SeriesKey, applies_from: date) -> None:
    """What was judged stays judged: baselines take over one after the other."""
    held = baselines_of(key)
    if held and applies_from <= held[-1].applies_from:
        raise Conflict(
            _("A baseline that applies from %(day)s is in force; a new one comes after it.")
            % {"day": day(held[-1].applies_from)}
        )


@transaction.atomic
def decide_baseline(*, baseline_id: int, accept: bool, by: Principal, now: datetime) -> Baseline:
    """Put a proposed baseline in force, or decline it.

    raises: NotFound, NotPermitted (who proposed it does not decide), Conflict when it was decided,
        or a later baseline came in force
    """
    found = Baseline.objects.visible_to(by).filter(pk=baseline_id)
    baseline = found.select_for_update().first()
    if baseline is None:
        raise NotFound(_("There is no such baseline."))
    by.require(Permission.APPROVE_BASELINES, unit_id=baseline.unit_id)
    person = _person(by)
    if baseline.state != Baseline.State.PROPOSED:
        raise Conflict(_("This baseline was decided already."))
    if baseline.proposed_by_id == person.pk:
        raise NotPermitted(_("Another person than who proposed a baseline decides on it."))
    if accept:
        _refuse_if_late(key_of(baseline), baseline.applies_from)
    baseline.state = Baseline.State.IN_FORCE if accept else Baseline.State.DECLINED
    baseline.decided_by, baseline.decided_at = person, now
    baseline.save(update_fields=["state", "decided_by", "decided_at"])
    _record_baseline("baseline.accepted" if accept else "baseline.declined", baseline, by, now)
    return baseline


def _record_baseline(action: str, baseline: Baseline, by: Principal, now: datetime) -> None:
    details = {
        "unit": baseline.unit_id,
        "code": baseline.code,
        "grain": baseline.grain,
        "applies_from": baseline.applies_from.isoformat(),
        "reference": baseline.reference,
    }
    record(action=action, subject=f"baseline:{baseline.pk}", by=by, now=now, details=details)


def _said(text: str, longest: int, missing: str) -> str:
    said = text.strip()
    if not said:
        raise InvalidInput(missing)
    if len(said) > longest:
        raise InvalidInput(_("Write at most %(most)s characters.") % {"most": longest})
    return said


def _person(by: Principal) -> User:
    """Return the person; a token and the software have no say here."""
    if by.user is None:
        raise NotPermitted(_("Only a person may do this."))
    return by.user


def _note(
    signal: Signal,
    kind: str,
    period_on: date,
    *,
    by: Principal,
    now: datetime,
    note: str = "",
) -> None:
    SignalEvent.objects.create(
        signal=signal,
        kind=kind,
        episode=signal.episode,
        period_on=period_on,
        at=now,
        by=by.user,
        note=note,
    )
