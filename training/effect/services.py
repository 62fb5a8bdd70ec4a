"""Studies of courses: registered before the results are in, concluded once, or given up.

Who is in which group is kept so that the verdict can be computed again; it is on no page.
"""

import secrets
from collections.abc import Collection
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day, organisation
from training.courses.models import Course
from training.effect.models import Study, StudyMember
from training.effect.queries import measure_of, sessions_of
from training.effect.rules import Pool, Windows, computed, lowest, refusal, waiting
from training.enrolments.models import Enrolment
from training.enrolments.several import Outcomes, enrol_several

LONGEST_SEED = 2**62


# Registering -------------------------------------------------------------------------------------


@transaction.atomic
def register_study(
    *,
    code: str,
    course: Course,
    measure: str,
    pool: str,
    before_from: date,
    before_to: date,
    after_from: date,
    after_to: date,
    minimum: float,
    by: Principal,
    now: datetime,
    selected_from: date | None = None,
    selected_to: date | None = None,
    size: int | None = None,
    share_trained: float = 0.5,
    trained_ids: Collection[int] | None = None,
    control_ids: Collection[int] | None = None,
) -> Study:
    """Register a study before its results are in. Windows are half-open; nothing changes later.

    pool: `lowest`: the `size` people (a third, unless told) whom customers judged lowest by the
        measure in [selected_from, selected_to), of whom `share_trained` are drawn by lot, unless
        `trained_ids` says who; with `control_ids` too, these people are the pool, chosen elsewhere
        by this measure and time; `waiting`: who has a seat in a session between the windows, and
        who waits for one
    minimum: the least effect that counts, in units of the measure
    raises: NotPermitted; NotFound for the measure; Conflict for a code that is taken; InvalidInput
        naming each field, also when a group would be smaller than the smallest that is shown
    """
    _require_all(by)
    today = local_day(now)
    _named, found = measure_of(measure)
    window = Windows(selected_from, selected_to, before_from, before_to, after_from, after_to)
    faults = _faults(code, pool, window, today, share_trained)
    if not 0.0 < minimum <= found.highest - found.lowest:
        faults["minimum"] = _("An effect is more than 0 and fits the scale.")
    _refuse(faults)
    Course.objects.select_for_update(of=("self",)).get(pk=course.pk)
    if pool == Study.Pool.LOWEST and selected_from and selected_to:
        chosen = lowest(
            measure,
            first=selected_from,
            end=selected_to,
            size=size,
            share_trained=share_trained,
            trained_ids=trained_ids,
            control_ids=control_ids,
            seed=secrets.randbelow(LONGEST_SEED),
        )
    else:
        chosen = waiting(course, window, trained_ids=trained_ids)
    _refuse_small(chosen)
    study, is_new = Study.objects.get_or_create(
        code=code,
        defaults={
            "course": course,
            "measure": measure,
            "pool": pool,
            "is_by_lot": chosen.seed is not None,
            "seed": chosen.seed,
            **asdict(window),
            "minimum": minimum,
            "registered_by": by.user,
            "registered_at": now,
            "outcome": {"selection": chosen.selection} if chosen.selection else {},
        },
    )
    if not is_new:
        raise Conflict(_("There is a study of this code."))
    StudyMember.objects.bulk_create(
        StudyMember(study=study, staff_id=staff_id, is_trained=is_trained)
        for group, is_trained in ((chosen.trained, True), (chosen.controls, False))
        for staff_id in sorted(group)
    )
    _note("registered", study, by=by, now=now, seed=chosen.seed, trained=len(chosen.trained))
    return study


def _faults(
    code: str, pool: str, window: Windows, today: date, share_trained: float
) -> dict[str, str]:
    faults: dict[str, str] = {}
    try:
        validate_slug(code)
    except ValidationError:
        faults["code"] = _("Use letters, digits and hyphens.")
    if len(code) > 60:
        faults["code"] = _("Write at most %(most)d characters.") % {"most": 60}
    if pool not in Study.Pool.values:
        faults["pool"] = _("Choose one of those offered.")
    elif pool == Study.Pool.LOWEST:
        faults |= _faults_of_selection(window, today)
    if not 0.0 < share_trained < 1.0:
        faults["share_trained"] = _("Some are trained and some are not.")
    return faults | _faults_of_windows(window, today)


def _faults_of_selection(window: Windows, today: date) -> dict[str, str]:
    if window.selected_from is None or window.selected_to is None:
        return {"selected_from": _("Say when people were judged who are in the pool.")}
    if window.selected_to <= window.selected_from:
        return {"selected_to": _("The end is after the beginning.")}
    if window.selected_to > today:
        return {"selected_to": _("Only answers that are in can choose people.")}
    if window.before_from < window.selected_to:
        return {
            "before_from": _(
                "The time before begins after that in which people were chosen: who is chosen for "
                "a bad spell gets better without any training."
            )
        }
    return {}


def _faults_of_windows(window: Windows, today: date) -> dict[str, str]:
    faults: dict[str, str] = {}
    for name in ("before", "after"):
        if getattr(window, f"{name}_to") <= getattr(window, f"{name}_from"):
            faults[f"{name}_to"] = _("The end is after the beginning.")
    if window.after_from < window.before_to:
        faults["after_from"] = _("The time after begins when that before has ended.")
    elif window.after_from < today:
        faults["after_from"] = _("A study is registered before the time after has begun.")
    return faults


def _refuse_small(pool: Pool) -> None:
    least = max(organisation().smallest_group, 2)
    smaller = min(len(pool.trained), len(pool.controls))
    if smaller < least:
        raise refusal(
            "size",
            _("A group needs at least %(least)d people: there are %(trained)d and %(controls)d.")
            % {"least": least, "trained": len(pool.trained), "controls": len(pool.controls)},
        )


# Enrolling ---------------------------------------------------------------------------------------


def enrol_drawn(*, study_id: int, session_id: int, by: Principal, now: datetime) -> Outcomes:
    """Enrol who is to be trained into a session of the course between the windows, one after the
    other; nobody has to see who they are. Who is in the session already stays.

    raises: NotPermitted, NotFound, Conflict for a study that has ended, InvalidInput for another
        session
    """
    _require_all(by)
    study = Study.objects.filter(pk=study_id).first()
    if study is None:
        raise NotFound(_("There is no such study."))
    _refuse_ended(study)
    if not sessions_of(study).filter(pk=session_id).exists():
        raise refusal("session", _("Choose a session of the course between the two windows."))
    trained = study.members.filter(is_trained=True).values_list("staff_id", flat=True)
    outcomes = enrol_several(
        session_id=session_id,
        staff_ids=list(trained),
        origin=Enrolment.Origin.MANAGER,
        by=by,
        now=now,
    )
    _note(
        "enrolled", study, by=by, now=now, session=session_id, done=len(outcomes.done),
        refused=len(outcomes.refused),
    )  # fmt: skip
    return outcomes


# Concluding --------------------------------------------------------------------------------------


@transaction.atomic
def conclude_study(*, study_id: int, by: Principal, now: datetime) -> Study:
    """Compute the verdict, once, when the time after has ended. Groups stay as registered, whoever
    took the course in the end. raises: NotPermitted, NotFound, Conflict"""
    _require_all(by)
    study = _locked(study_id)
    if local_day(now) < study.after_to:
        raise Conflict(_("The time after has not ended."))
    outcome, said = computed(study)
    study.outcome = {**study.outcome, **outcome}
    study.verdict = said
    study.state, study.concluded_at = Study.State.CONCLUDED, now
    study.save(update_fields=["outcome", "verdict", "state", "concluded_at"])
    _note("concluded", study, by=by, now=now, verdict=study.verdict)
    return study


@transaction.atomic
def abandon_study(*, study_id: int, why: str, by: Principal, now: datetime) -> Study:
    """Give a study up; it stays in the list.

    raises: NotPermitted, NotFound, Conflict, InvalidInput
    """
    _require_all(by)
    study = _locked(study_id)
    said = " ".join(why.split())
    if not said or len(said) > 300:
        raise refusal("why", _("Say why, in at most %(most)d characters.") % {"most": 300})
    study.state, study.why_abandoned = Study.State.ABANDONED, said
    study.save(update_fields=["state", "why_abandoned"])
    _note("abandoned", study, by=by, now=now)
    return study


# All ---------------------------------------------------------------------------------------------


def _locked(study_id: int) -> Study:
    study = Study.objects.select_for_update(of=("self",)).filter(pk=study_id).first()
    if study is None:
        raise NotFound(_("There is no such study."))
    _refuse_ended(study)
    return study


def _refuse_ended(study: Study) -> None:
    if study.state != Study.State.REGISTERED:
        raise Conflict(_("This study has ended."))


def _require_all(by: Principal) -> None:
    """A pool is chosen among everybody, so who chooses it runs the training of everybody."""
    by.require(Permission.MANAGE_TRAINING)
    if not by.scope(Permission.MANAGE_TRAINING).everywhere:
        raise NotPermitted(_("A study is about people of the whole organisation."))


def _refuse(faults: dict[str, str]) -> None:
    if faults:
        raise InvalidInput(
            _("Some fields are wrong."),
            problems=[Problem(why, field=name) for name, why in faults.items()],
        )


def _note(act: str, study: Study, *, by: Principal, now: datetime, **details: Any) -> None:
    record(
        action=f"study.{act}", subject=f"study:{study.pk}", by=by, now=now,
        details={"course": study.course_id, **details},
    )  # fmt: skip
