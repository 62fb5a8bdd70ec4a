"""Who is in a study, and what is compared. Nothing here speaks about a person."""

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, Problem
from sqcore.org.models import Staff
from sqcore.org.queries import organisation
from sqcore.performance.sources import Floats, Ints
from sqcore.stats.errors import StatisticsError
from sqcore.stats.learning import (
    Differences,
    Verdict,
    difference_in_differences,
    regression_to_the_mean,
    verdict,
)
from sqcore.stats.people import reliability, shrink
from sqcore.stats.variance_parts import variance_parts_of_sums
from training.courses.models import Course
from training.effect.models import Study
from training.effect.queries import Answers, answers_about
from training.enrolments.models import Enrolment

LEAST_ANSWERS = 5
"""Who was judged less often is in no pool, and counts on no side."""
WINDOWS = 4
"""Into so many parts the time before is cut to show its trend."""
SHORTEST_WINDOW = 14
VERDICTS = {
    Verdict.EFFECTIVE: Study.Verdict.EFFECTIVE,
    Verdict.NOT_EFFECTIVE: Study.Verdict.NOT_EFFECTIVE,
    Verdict.HARMFUL: Study.Verdict.HARMFUL,
    Verdict.NOT_YET_KNOWN: Study.Verdict.NOT_YET,
}


@dataclass(frozen=True)
class Windows:
    """When people are chosen, and the times before and after; half-open."""

    selected_from: date | None
    selected_to: date | None
    before_from: date
    before_to: date
    after_from: date
    after_to: date


@dataclass(frozen=True)
class Pool:
    """Who is trained and who is not; of those whom customers judged lowest, what was known."""

    trained: Sequence[int]
    controls: Sequence[int]
    seed: int | None = None
    selection: dict[str, float] | None = None


def refusal(field: str, why: str) -> InvalidInput:
    return InvalidInput(_("Some fields are wrong."), problems=[Problem(why, field=field)])


# Pools -------------------------------------------------------------------------------------------


def lowest(
    measure: str,
    *,
    first: date,
    end: date,
    size: int | None,
    share_trained: float,
    trained_ids: Collection[int] | None,
    control_ids: Collection[int] | None,
    seed: int,
) -> Pool:
    """Choose the lowest by what their own answers and all others say together, and draw lots.

    Where both groups are named, they are the pool: it was chosen, and drawn, elsewhere.

    raises: InvalidInput where nobody, or nobody for sure, is lowest, or somebody of `trained_ids`
        is not in the pool
    """
    working = Staff.objects.filter(left_on__isnull=True).values_list("pk", flat=True)
    staff, n, means, squares = _sums(answers_about(measure, first=first, end=end))
    kept = (n >= LEAST_ANSWERS) & np.isin(staff, np.fromiter(working, np.int64))
    staff, n, means, squares = staff[kept], n[kept], means[kept], squares[kept]
    all_of_them = np.zeros(len(n), np.int64)
    try:
        parts = variance_parts_of_sums(n, n * means, squares, all_of_them)
    except StatisticsError as error:
        raise refusal("selected_from", _("Too few people were judged often enough.")) from error
    if parts.between == 0:
        raise refusal("measure", _("By this measure people do not differ but by chance."))
    mean_reliability = float(np.mean(reliability(n, parts.icc)))
    if trained_ids is not None and control_ids is not None:
        at = _named(staff, trained_ids, control_ids)
        selection = _selection(means, at, mean_reliability)
        return Pool(sorted(set(trained_ids)), sorted(set(control_ids)), None, selection)
    theta = shrink(means, parts.within / n, all_of_them, parts.between).estimate
    wanted = len(n) // 3 if size is None else size
    if not 0 < wanted <= len(n):
        raise refusal("size", _("There are %(n)d people to choose from.") % {"n": len(n)})
    at = np.lexsort((staff, theta))[:wanted]
    pool = sorted(staff[at].tolist())
    selection = _selection(means, at, mean_reliability)
    if trained_ids is not None:
        trained = _those_of(trained_ids, pool)
        return Pool(trained, sorted(set(pool) - set(trained)), None, selection)
    trained = drawn(pool, round(len(pool) * share_trained), seed)
    return Pool(trained, sorted(set(pool) - set(trained)), seed, selection)


def drawn(pool: Sequence[int], count: int, seed: int) -> list[int]:
    """Return who is drawn: the same pool and seed, the same people, on every machine."""

    def lot(staff_id: int) -> bytes:
        return hashlib.sha256(f"{seed}:{staff_id}".encode()).digest()

    return sorted(sorted(pool, key=lot)[:count])


def _selection(means: Floats, at: Ints, known: float) -> dict[str, float]:
    chosen, everybody = float(means[at].mean()), float(means.mean())
    return {
        "judged": len(means),
        "mean": everybody,
        "chosen": chosen,
        "reliability": known,
        "gain_without_training": float(regression_to_the_mean(chosen, everybody, known)),
    }


def _those_of(trained_ids: Collection[int], pool: Collection[int]) -> list[int]:
    outside = len(set(trained_ids) - set(pool))
    if outside:
        raise refusal(
            "trained_ids",
            _("%(n)d of the trained are not in the pool; they have nobody to compare with.")
            % {"n": outside},
        )
    return sorted(set(trained_ids))


def _named(staff: Ints, trained_ids: Collection[int], control_ids: Collection[int]) -> Ints:
    """Return where the two groups stand. raises: InvalidInput unless each was judged, and once"""
    trained, controls = set(trained_ids), set(control_ids)
    if trained & controls:
        raise refusal("control_ids", _("Somebody is in both groups."))
    unknown = len((trained | controls) - set(staff.tolist()))
    if unknown:
        raise refusal(
            "control_ids", _("%(n)d of them were judged too rarely to be chosen.") % {"n": unknown}
        )
    return np.flatnonzero(np.isin(staff, np.fromiter(trained | controls, np.int64)))


def waiting(course: Course, windows: Windows, *, trained_ids: Collection[int] | None) -> Pool:
    """Compare who has a seat between the windows with who waits for one."""
    enrolments = Enrolment.objects.filter(
        session__version__course=course,
        session__starts_on__gte=windows.before_to,
        session__ends_on__lt=windows.after_from,
    )
    seated, queueing = (
        set(enrolments.filter(state=state).values_list("staff_id", flat=True))
        for state in (Enrolment.State.ENROLLED, Enrolment.State.WAITING)
    )
    if trained_ids is not None:
        seated = set(_those_of(trained_ids, seated))
    return Pool(sorted(seated), sorted(queueing - seated))


# Comparing ---------------------------------------------------------------------------------------


def computed(study: Study) -> tuple[dict[str, Any], Study.Verdict]:
    """Return the outcome of a study from the answers as they are now, and its verdict."""
    members = dict(study.members.order_by("staff_id").values_list("staff_id", "is_trained"))
    before, after = (
        answers_about(study.measure, first=first, end=end, staff_ids=list(members))
        for first, end in (
            (study.before_from, study.before_to),
            (study.after_from, study.after_to),
        )
    )
    sides = _sides(members, before, after)
    counts: dict[str, Any] = {
        "lost_trained": sum(members.values()) - len(sides[True]),
        "lost_controls": len(members) - sum(members.values()) - len(sides[False]),
        "took_trained": _took(study, members, is_trained=True),
        "took_controls": _took(study, members, is_trained=False),
        "input": _digest(before, after),
    }
    if min(len(sides[True]), len(sides[False])) < max(organisation().smallest_group, 2):
        return {**counts, "too_few": True}, Study.Verdict.NOT_YET
    chosen = _selected(study, sides[True])
    found = _compared(study, sides, before, after, chosen)
    start = found.trained_before if chosen is None else float(chosen.mean())
    counts["naive_gain"] = found.trained_after - start
    said = verdict(found.effect, found.low, found.high, minimum=study.minimum)
    return {**counts, "differences": _plain(found)}, VERDICTS[said]


def _sides(members: dict[int, bool], before: Answers, after: Answers) -> dict[bool, Ints]:
    """Return who of each group was judged often enough in both windows."""
    there = [
        set(staff[n >= LEAST_ANSWERS].tolist()) for staff, n, *_rest in map(_sums, (before, after))
    ]
    both = there[0] & there[1]
    return {
        side: np.array(
            [each for each, trained in members.items() if trained is side and each in both],
            dtype=np.int64,
        )
        for side in (True, False)
    }


def _compared(
    study: Study,
    sides: dict[bool, Ints],
    before: Answers,
    after: Answers,
    chosen: Floats | None,
) -> Differences:
    trained, controls = sides[True], sides[False]
    values = [
        _means_of(people, answers) for people in (trained, controls) for answers in (before, after)
    ]
    windows = _windows(study.before_from, study.before_to)
    return difference_in_differences(
        *values,
        selected=chosen,
        pre_windows=(
            (_table(trained, before, windows), _table(controls, before, windows))
            if windows
            else None
        ),
    )


def _selected(study: Study, trained: Ints) -> Floats | None:
    """Return by what the trained were chosen, as it stands now; None if somebody's is gone."""
    if study.selected_from is None or study.selected_to is None:
        return None
    answers = answers_about(
        study.measure, first=study.selected_from, end=study.selected_to, staff_ids=trained.tolist()
    )
    found = _means_of(trained, answers)
    return None if np.isnan(found).any() else found


def _windows(first: date, end: date) -> list[tuple[date, date]]:
    """Cut the time before into equal parts; none where they would be too short."""
    count = min(WINDOWS, (end - first).days // SHORTEST_WINDOW)
    if count < 2:
        return []
    length = (end - first) / count
    return [(first + at * length, first + (at + 1) * length) for at in range(count)]


def _table(people: Ints, answers: Answers, windows: Sequence[tuple[date, date]]) -> Floats:
    columns = []
    for first, end in windows:
        inside = (answers.on >= np.datetime64(first)) & (answers.on < np.datetime64(end))
        part = Answers(answers.staff[inside], answers.on[inside], answers.values[inside])
        columns.append(_means_of(people, part))
    return np.stack(columns, axis=1)


def _sums(answers: Answers) -> tuple[Ints, Ints, Floats, Floats]:
    """Return, by person: who, how many answers, their mean, and the sum of their squares."""
    staff, code = np.unique(answers.staff, return_inverse=True)
    n = np.bincount(code, minlength=len(staff))
    total = np.bincount(code, answers.values, minlength=len(staff))
    squares = np.bincount(code, answers.values**2, minlength=len(staff))
    return staff, n.astype(np.int64), total / np.maximum(n, 1), squares.astype(np.float64)


def _means_of(people: Ints, answers: Answers) -> Floats:
    """Return the mean of each of these people; NaN for who has no answer."""
    staff, _n, means, _squares = _sums(answers)
    by_person = dict(zip(staff.tolist(), means.tolist(), strict=True))
    return np.array([by_person.get(each, math.nan) for each in people.tolist()], dtype=np.float64)


def _took(study: Study, members: dict[int, bool], *, is_trained: bool) -> int:
    """Count who of a group ended the course between the windows."""
    who = [staff_id for staff_id, trained in members.items() if trained is is_trained]
    ended = Enrolment.objects.filter(
        session__version__course=study.course_id,
        state__in=(Enrolment.State.PASSED, Enrolment.State.FAILED),
        session__ends_on__gte=study.before_to,
        session__ends_on__lt=study.after_to,
        staff__in=who,
    )
    return ended.values("staff_id").distinct().count()


def _plain(found: Differences) -> dict[str, Any]:
    told = asdict(found)
    told["pre_trend"] = found.pre_trend._asdict() if found.pre_trend else None
    return told


def _digest(*parts: Answers) -> str:
    """Return the hash of what the verdict rests on."""
    found = hashlib.sha256()
    for answers in parts:
        order = np.lexsort((answers.values, answers.on, answers.staff))
        for column in (answers.staff, answers.on.astype("datetime64[D]"), answers.values):
            found.update(np.ascontiguousarray(column[order]).tobytes())
    return found.hexdigest()
