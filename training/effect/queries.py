"""Reading what came of courses on three levels: reaction, learning, results."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.base.text import in_language
from sqcore.dashboards.figures import Figure, Point, Series, bars_figure, series_figure
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import organisation
from sqcore.performance.sources import (
    PERSON_SOURCES,
    Floats,
    Ints,
    PersonMeasure,
    PersonSource,
)
from sqcore.questionnaires.port import QuestionFigure, questionnaires
from sqcore.stats.learning import PairedGain, paired_gain
from training.courses.models import Course, Session
from training.courses.queries import reaction_subject
from training.effect.models import Study
from training.enrolments.models import Attempt, Enrolment

MOST_POINTS = 100.0
"""Scores of tests are per cent."""
ENDED = (Enrolment.State.PASSED, Enrolment.State.FAILED)


# Reaction ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SessionReaction:
    """What participants said of one session; no figures before all could, or where too few did."""

    session: Session
    asked: int
    answered: int | None
    figures: Sequence[QuestionFigure]
    is_open: bool


@dataclass(frozen=True)
class Reaction:
    """What participants said of a course: of all sessions whose figures may be shown together."""

    figures: Sequence[QuestionFigure]
    sessions: Sequence[SessionReaction]

    @property
    def is_open(self) -> bool:
        """Whether answers may still come in about one of the sessions."""
        return any(each.is_open for each in self.sessions)


SESSIONS_SHOWN = 20


def reaction_of(course: Course, *, now: datetime) -> Reaction:
    """Return what participants said after the last sessions of a course, the newest first."""
    held = Session.objects.filter(version__course=course).select_related("version__course")
    sessions = []
    for session in held.order_by("-starts_on", "-id")[:SESSIONS_SHOWN]:
        found = questionnaires().results_of(subject=reaction_subject(session.pk), now=now)
        if found is not None:
            sessions.append(
                SessionReaction(session, found.asked, found.answered, found.figures, found.is_open)
            )
    return Reaction(_together([each.figures for each in sessions]), sessions)


def _together(parts: Iterable[Sequence[QuestionFigure]]) -> list[QuestionFigure]:
    """Pool the figures of the same question; each counts by its answers."""
    by_code: dict[str, list[QuestionFigure]] = {}
    for figures in parts:
        for figure in figures:
            if figure.mean is not None and figure.low is not None and figure.high is not None:
                by_code.setdefault(figure.code, []).append(figure)
    return [_pooled(figures) for figures in by_code.values()]


def _pooled(figures: Sequence[QuestionFigure]) -> QuestionFigure:
    first, n = figures[0], sum(figure.n for figure in figures)
    mean = sum(figure.n * (figure.mean or 0.0) for figure in figures) / n
    below, above = (
        math.hypot(*(figure.n * (getattr(figure, end) - figure.mean) / n for figure in figures))
        for end in ("low", "high")
    )
    return QuestionFigure(
        first.code, first.text, first.lowest, first.highest, n, mean, mean - below, mean + above
    )


# Learning ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Learning:
    """A gain between two tests of the same people; `gain` is None where they are fewer than the
    smallest group that is shown, or could be told from the rest. `of`: a session, or the whole
    course."""

    of: Session | None
    kind: Attempt.Kind
    gain: PairedGain | None


def learning_of(course: Course) -> list[Learning]:
    """Return what the people of a course gained from the test before it to that at its end, and to
    that some time later: of the course, then of each session, the newest first. Three queries.

    Everybody counts with the first attempt of each kind: who may try until it is passed always
    gains. Who was there twice counts once, with the first time.
    """
    scores = _first_scores(course)
    sessions = {
        session.pk: session
        for session in Session.objects.filter(version__course=course)
        .select_related("version__course")
        .order_by("-starts_on", "-id")
    }
    k = organisation().smallest_group
    found = []
    for kind in (Attempt.Kind.TEST, Attempt.Kind.LATER):
        if pairs := _pairs(scores, kind):
            found.append(_learning(None, kind, _once_each(pairs), k))
    by_session: dict[int, list[_Pair]] = {}
    for pair in _pairs(scores, Attempt.Kind.TEST):
        by_session.setdefault(pair.session_id, []).append(pair)
    hidden = _hidden({each: len(pairs) for each, pairs in by_session.items()}, k)
    for session_id, session in sessions.items():
        if session_id in hidden:
            found.append(Learning(session, Attempt.Kind.TEST, None))
        elif session_id in by_session:
            found.append(_learning(session, Attempt.Kind.TEST, by_session[session_id], k))
    return found


def _hidden(sizes: dict[int, int], k: int) -> set[int]:
    """Return the sessions that are too small, and as many others as it takes that the rest of the
    course is none that can be subtracted."""
    hidden = {each for each, size in sizes.items() if size < k}
    shown = sorted(sizes.keys() - hidden, key=lambda each: (sizes[each], each))
    while hidden and shown and sum(sizes[each] for each in hidden) < k:
        hidden.add(shown.pop(0))
    return hidden


@dataclass(frozen=True)
class _Pair:
    staff_id: int
    session_id: int
    before: float
    after: float


Scores = dict[tuple[int, int, int], dict[str, float]]


def _first_scores(course: Course) -> Scores:
    """Return, by enrolment, session and person, the first score of each kind of test."""
    rows = (
        Attempt.objects.filter(enrolment__session__version__course=course)
        .exclude(enrolment__state=Enrolment.State.CANCELLED)
        .order_by("enrolment_id", "kind", "-number")
        .values_list(
            "enrolment_id", "enrolment__session_id", "enrolment__staff_id", "kind", "score"
        )
    )
    scores: Scores = {}
    for enrolment_id, session_id, staff_id, kind, score in rows:
        scores.setdefault((enrolment_id, session_id, staff_id), {})[kind] = float(score)
    return scores


def _pairs(scores: Scores, kind: Attempt.Kind) -> list[_Pair]:
    return [
        _Pair(staff_id, session_id, found[Attempt.Kind.BEFORE], found[kind])
        for (_enrolment, session_id, staff_id), found in scores.items()
        if Attempt.Kind.BEFORE in found and kind in found
    ]


def _once_each(pairs: Sequence[_Pair]) -> list[_Pair]:
    return list({pair.staff_id: pair for pair in reversed(pairs)}.values())


def _learning(of: Session | None, kind: Attempt.Kind, pairs: Sequence[_Pair], k: int) -> Learning:
    if len(pairs) < k:
        return Learning(of, kind, None)
    gain = paired_gain(
        [pair.before for pair in pairs], [pair.after for pair in pairs], most=MOST_POINTS
    )
    return Learning(of, kind, gain)


# Results -----------------------------------------------------------------------------------------


def measures_of_people() -> list[PersonMeasure]:
    """Return everything by which a study can judge: what customers say about people."""
    return [measure for source in PERSON_SOURCES for measure in source.measures()]


def measure_of(key: str) -> tuple[PersonSource, PersonMeasure]:
    """Return a measure and where its answers come from. raises: NotFound"""
    for source in PERSON_SOURCES:
        for measure in source.measures():
            if measure.key == key:
                return source, measure
    raise NotFound(_("There is no measure of people “%(key)s”.") % {"key": key})


@dataclass(frozen=True)
class Answers:
    """Answers to one measure: who was judged, on which day, how."""

    staff: Ints
    on: "np.typing.NDArray[np.datetime64]"
    values: Floats


def answers_about(
    measure: str, *, first: date, end: date, staff_ids: Collection[int] | None = None
) -> Answers:
    """Return the answers of days [first, end) to a measure, of everybody or of these people.

    raises: NotFound for a measure that there is not
    """
    source, _named = measure_of(measure)
    found = source.collect(first=first, end=end, staff_ids=staff_ids)
    column = [each.key for each in found.measures].index(measure)
    values = found.values[:, column]
    there = ~np.isnan(values)
    return Answers(found.staff[there], found.on[there], values[there])


def studies_seen_by(principal: Principal) -> QuerySet[Study]:
    """Return the studies, the newest first, each with how many are `trained` and `controls`."""
    return (
        Study.objects.visible_to(principal)
        .select_related("course")
        .annotate(
            trained=Count("members", filter=Q(members__is_trained=True)),
            controls=Count("members", filter=Q(members__is_trained=False)),
        )
        .order_by("-registered_at", "-id")
    )


def study_of(principal: Principal, code: str) -> Study:
    """Return a study. raises: NotFound"""
    found = studies_seen_by(principal).filter(code=code).first()
    if found is None:
        raise NotFound(_("There is no such study."))
    return found


def course_of(principal: Principal, code: str) -> Course:
    """Return a course to who sees the training of people. raises: NotPermitted, NotFound"""
    principal.require(Permission.VIEW_TRAINING)
    found = Course.objects.filter(code=code).first()
    if found is None:
        raise NotFound(_("There is no such course."))
    return found


def sessions_of(study: Study) -> QuerySet[Session]:
    """Return the planned sessions in which people of a study can be trained."""
    planned = Session.objects.filter(
        version__course=study.course_id,
        state=Session.State.PLANNED,
        starts_on__gte=study.before_to,
        ends_on__lt=study.after_from,
    )
    return planned.select_related("version__course").order_by("starts_on", "id")


@dataclass(frozen=True)
class CourseLine:
    """A course in the list: how many ended it, and its studies."""

    course: Course
    ended: int
    studies: Sequence[Study]


def course_lines(principal: Principal, courses: Sequence[Course]) -> list[CourseLine]:
    """Return the lines of these courses. Two queries."""
    ended = dict(
        Enrolment.objects.filter(state__in=ENDED, session__version__course__in=courses)
        .values_list("session__version__course")
        .annotate(Count("staff", distinct=True))
        .order_by()
    )
    by_course: dict[int, list[Study]] = {}
    for study in studies_seen_by(principal).filter(course__in=courses):
        by_course.setdefault(study.course_id, []).append(study)
    k = organisation().smallest_group
    return [
        CourseLine(
            course,
            ended.get(course.pk, 0) if ended.get(course.pk, 0) >= k else 0,
            by_course.get(course.pk, []),
        )
        for course in courses
    ]


def courses_seen_by(principal: Principal) -> QuerySet[Course]:
    """Return the courses that were held or are studied, for who sees the training of people."""
    if not principal.may(Permission.VIEW_TRAINING):
        return Course.objects.none()
    used = Q(versions__sessions__isnull=False) | Q(studies__isnull=False)
    return Course.objects.filter(used).distinct().order_by("code")


def reaction_figure(reaction: Reaction) -> Figure | None:
    """Return the questions with their means; None while nothing may be shown."""
    if not reaction.figures:
        return None
    points = [
        Point(in_language(dict(each.text)), each.mean, each.low, each.high, each.n)
        for each in reaction.figures
    ]
    ends = [(each.lowest, each.highest) for each in reaction.figures]
    scale = (float(min(low for low, _high in ends)), float(max(high for _low, high in ends)))
    return bars_figure(points, value_range=scale)


def figure_of(study: Study) -> Figure | None:
    """Return the trained and the controls before and after; None while there are no figures."""
    found: dict[str, Any] = study.outcome.get("differences", {})
    if not found:
        return None
    sides = (("trained", _("Trained")), ("controls", _("Not trained")))
    return series_figure(
        [
            Series(
                name,
                [
                    Point(_("Before"), found[f"{side}_before"], n=found[side]),
                    Point(_("After"), found[f"{side}_after"], n=found[side]),
                ],
                colour=number,
            )
            for number, (side, name) in enumerate(sides, 1)
        ],
        dated=False,
        decimals=2,
    )


@dataclass(frozen=True)
class StudyPage:
    """What the page of a study shows beside the study.

    found: the figures of the outcome, none while there are none; reach: how far from 0 the bar
    of the effect goes; naive_works: whether comparing the trained with themselves would have
    called it a success; is_due: the verdict can be computed
    """

    measure: str
    scale: tuple[float, float] | None
    trained: int
    controls: int
    selected_last: date | None
    before_last: date
    after_last: date
    figure: Figure | None
    found: dict[str, Any]
    reach: float
    naive_gain: float | None
    naive_works: bool
    is_due: bool
    tone: str

    @property
    def low_end(self) -> float:
        return -self.reach


TONES = {
    Study.Verdict.EFFECTIVE: "good",
    Study.Verdict.NOT_EFFECTIVE: "watch",
    Study.Verdict.HARMFUL: "bad",
    Study.Verdict.NOT_YET: "",
}


def study_page(study: Study, *, today: date) -> StudyPage:
    """Return what is shown of a study that `studies_seen_by` gave."""
    found: dict[str, Any] = study.outcome.get("differences", {})
    measure = next((each for each in measures_of_people() if each.key == study.measure), None)
    ends = [abs(found[name]) for name in ("low", "high") if found.get(name) is not None]
    naive = found.get("naive_p") is not None and found["naive_p"] < 0.05 and found["naive_t"] > 0
    day = timedelta(days=1)
    return StudyPage(
        measure=in_language(dict(measure.name)) if measure else study.measure,
        scale=(measure.lowest, measure.highest) if measure else None,
        trained=study.members.filter(is_trained=True).count(),
        controls=study.members.filter(is_trained=False).count(),
        selected_last=study.selected_to - day if study.selected_to else None,
        before_last=study.before_to - day,
        after_last=study.after_to - day,
        figure=figure_of(study),
        found=found,
        reach=max([*ends, study.minimum]) * 1.15,
        naive_gain=study.outcome.get("naive_gain"),
        naive_works=naive,
        is_due=study.state == Study.State.REGISTERED and today >= study.after_to,
        tone=TONES.get(Study.Verdict(study.verdict), "") if study.verdict else "",
    )
