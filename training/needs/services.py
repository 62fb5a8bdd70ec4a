"""Opening needs, joining their reasons, planning, meeting and dismissing them.

A need is developmental: it says that learning would help, not that somebody is incompetent.
raises, all of them: NotFound for what is not theirs, NotPermitted, InvalidInput, Conflict
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TypeVar

from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.audit.services import record
from sqcore.base.bus import publish
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted, Problem
from sqcore.base.events import TrainingDelivered
from sqcore.base.text import TranslatedText, in_all_languages
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.org.models import Assignment, Staff, during
from sqcore.org.queries import local_day
from sqcore.performance.models import ResultsRun, StaffResult
from sqcore.performance.services import note_look
from sqcore.performance.sources import PERSON_SOURCES
from training.certificates.models import Certificate
from training.certificates.queries import completions, renewed_by_newer
from training.competencies.models import Competency
from training.competencies.queries import (
    gaps_of,
    held_levels,
    may_for,
    required_by_post,
    required_of,
)
from training.courses.models import Course, Session, Taught
from training.enrolments.models import Enrolment
from training.enrolments.services import enrol
from training.needs.models import Need, NeedReason
from training.needs.queries import (
    DEVELOPMENTAL,
    answering,
    need_of,
    places_of,
    tells_of_results,
)

EXPIRES_WITHIN = 60
"""Days before the end of a certificate at which its renewal becomes a need."""
QUIET = timedelta(days=180)
"""How long the same result or gap stays quiet after a need for it ended: a window of twelve months
still shows what was answered already."""
AT_ONCE = 500
ENDED_WITHOUT = (
    Enrolment.State.CANCELLED,
    Enrolment.State.FAILED,
    Enrolment.State.ABSENT,
)
Origin = NeedReason.Origin
State = Need.State
T = TypeVar("T")


@dataclass(frozen=True)
class Wish:
    """Why somebody should learn something; `reference` is its natural key.

    `benefit` is in points that compare origins: a level that the post needs is 1; a result 10 for
    each point of the scale below comparable colleagues, times how sure that is; a certificate from
    1 at sixty days to 3 on its last day; an improvement 2; a request 1.
    """

    staff_id: int
    origin: str
    reference: str
    text: TranslatedText
    benefit: float
    competency_id: int | None = None
    course_id: int | None = None

    @property
    def key(self) -> "Key":
        return self.staff_id, self.competency_id, None if self.competency_id else self.course_id


Key = tuple[int, int | None, int | None]


def _key(need: Need) -> Key:
    return need.staff_id, need.competency_id, None if need.competency_id else need.course_id


def _parts(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting = iter(rows)
    while part := list(islice(waiting, size)):
        yield part


# ---- Opening -------------------------------------------------------------------------------------
@transaction.atomic
def open_need(
    *,
    staff_id: int,
    competency_id: int | None = None,
    course_id: int | None = None,
    origin: str,
    reference: str,
    text: TranslatedText,
    benefit: float,
    now: datetime,
) -> tuple[Need | None, bool]:
    """Open a need, or join the one that waits for the same; return it and whether it is new. None
    when this reason was answered before: the same reference opens nothing twice."""
    if competency_id is None and course_id is None:
        raise _wrong("competency", _("Choose a competency or a course."))
    wish = Wish(staff_id, origin, reference, text, benefit, competency_id, course_id)
    new = _open([wish], now=now)
    return _waiting([wish]).get(wish.key), bool(new)


def open_needs(wishes: Iterable[Wish], *, now: datetime) -> int:
    """Open or join many needs, each part in a transaction of its own; return how many are new."""
    new = 0
    for part in _parts(wishes, AT_ONCE):
        with transaction.atomic():
            new += _open(part, now=now)
    return new


def _open(wishes: Sequence[Wish], *, now: datetime) -> int:
    """Two at once: a second one finds what the first opened by the unique rows of both tables."""
    known = _known(wishes)
    quiet = _quiet(wishes, now=now)
    fresh = {
        wish.reference: wish
        for wish in wishes
        if wish.reference not in known and (wish.key, wish.origin) not in quiet
    }
    before = _waiting(wishes)
    day = local_day(now)
    keys = dict.fromkeys(wish.key for wish in fresh.values() if wish.key not in before)
    opened = [
        Need(staff_id=staff, competency_id=skill, course_id=course, opened_on=day, opened_at=now)
        for staff, skill, course in keys
    ]
    Need.objects.bulk_create(opened, ignore_conflicts=True)
    waiting = _waiting(wishes)
    joined = [wish for wish in fresh.values() if wish.key in waiting]
    for wish in joined:
        if wish.key in before:
            _replace_older(before[wish.key], wish)
    NeedReason.objects.bulk_create(
        [
            NeedReason(
                need=waiting[wish.key], origin=wish.origin, reference=wish.reference,
                text=wish.text, benefit=wish.benefit, on=day,
            )
            for wish in joined
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    _add_up({waiting[wish.key].pk for wish in joined})
    if opened:
        _note_opened(opened, joined, now=now)
    return len(opened)


def _known(wishes: Sequence[Wish]) -> set[str]:
    """Return the references that have spoken already; what waits is weighed anew."""
    by_reference = {wish.reference: wish for wish in wishes}
    rows = list(
        NeedReason.objects.filter(reference__in=by_reference).select_related("need").order_by("id")
    )
    changed = [
        row
        for row in rows
        if row.need.state in Need.WAITING
        and abs(row.benefit - by_reference[row.reference].benefit) > 1e-9
    ]
    for row in changed:
        row.benefit = by_reference[row.reference].benefit
    NeedReason.objects.bulk_update(changed, ["benefit"])
    _add_up({row.need_id for row in changed})
    return {row.reference for row in rows}


def _quiet(wishes: Sequence[Wish], *, now: datetime) -> set[tuple[Key, str]]:
    """Return the results and gaps that were answered not long ago."""
    repeating = (Origin.RESULT, Origin.GAP)
    people = {wish.staff_id for wish in wishes if wish.origin in repeating}
    if not people:
        return set()
    ended = Need.objects.exclude(state__in=Need.WAITING).filter(
        staff_id__in=people, closed_on__gt=local_day(now) - QUIET
    )
    return {(_key(need), origin.value) for need in ended for origin in repeating}


def _waiting(wishes: Sequence[Wish]) -> dict[Key, Need]:
    """Return the needs that wait for the same, held until the end of the transaction."""
    people = {wish.staff_id for wish in wishes}
    rows = Need.objects.waiting().filter(staff_id__in=people).order_by("id")
    return {_key(need): need for need in rows.select_for_update(of=("self",))}


def _replace_older(need: Need, wish: Wish) -> None:
    """Of one measure, or one gap, only the newest word stands beside a need."""
    if wish.origin not in (Origin.RESULT, Origin.GAP):
        return
    same = wish.reference.rpartition(":")[0] + ":"
    need.reasons.filter(origin=wish.origin, reference__startswith=same).delete()


def _add_up(need_ids: Collection[int]) -> None:
    """Write the expected benefit of needs: the sum of what their reasons say."""
    if not need_ids:
        return
    sums = dict(
        NeedReason.objects.filter(need_id__in=need_ids)
        .order_by()
        .values("need_id")
        .annotate(total=Sum("benefit"))
        .values_list("need_id", "total")
    )
    needs = [Need(pk=pk, benefit=round(total, 6)) for pk, total in sums.items()]
    Need.objects.bulk_update(needs, ["benefit"])


def _note_opened(needs: Sequence[Need], wishes: Iterable[Wish], *, now: datetime) -> None:
    record(
        action="needs.opened",
        subject=f"staff:{needs[0].staff_id}" if len(needs) == 1 else "staff:*",
        by=system_principal(),
        now=now,
        details={"opened": len(needs), "origins": sorted({str(wish.origin) for wish in wishes})},
    )


@transaction.atomic
def ask_for_training(
    *,
    staff_id: int,
    competency: Competency | None = None,
    course: Course | None = None,
    text: str,
    by: Principal,
    now: datetime,
) -> Need:
    """Ask for training for oneself, or for somebody whose training one plans."""
    said, today = text.strip(), local_day(now)
    if by.staff_id != staff_id and not _plans_for(by, staff_id, on=today):
        raise NotPermitted(_("You may not ask for the training of this person."))
    if not said or len(said) > 500:
        raise _wrong("text", _("Say what for, in at most %(most)d characters.") % {"most": 500})
    subject = f"c{competency.pk}" if competency else f"k{course.pk}" if course else ""
    need, _is_new = open_need(
        staff_id=staff_id,
        competency_id=competency.pk if competency else None,
        course_id=course.pk if course else None,
        origin=Origin.PERSON,
        reference=f"person:{staff_id}:{by.key}:{subject}:{today.isoformat()}",
        text={"en": said},
        benefit=1.0,
        now=now,
    )
    if need is None:
        raise Conflict(_("This was asked for today already, and answered."))
    record(
        action="need.asked", subject=f"staff:{staff_id}", by=by, now=now, details={"need": need.pk}
    )
    return need


# ---- What opens needs by itself ------------------------------------------------------------------
def open_from_results(*, run_id: int, now: datetime) -> int:
    """Open needs where a result that may be used for coaching is low; return how many are new.

    Of the mean of all questions only where none of its parts is low: the parts say more.
    """
    low = (
        StaffResult.objects.current()
        .filter(run_id=run_id, verdict=StaffResult.Verdict.LOW)
        .exclude(gate=StaffResult.Gate.NONE)
    )
    results = list(low.select_related("run").order_by("staff_id", "measure"))
    new = open_needs(_wishes_of([each for each in results if not each.held]), now=now)
    # What is held back for a while is not wrong.
    pending = StaffResult.objects.filter(run_id=run_id).exclude(held="").select_related("run")
    said = {wish.reference for wish in _wishes_of(list({*results, *pending}))}
    _take_back_results(run_id, said, now=now)
    return new


@transaction.atomic
def _take_back_results(run_id: int, said: Collection[str], *, now: datetime) -> None:
    """Take back what an earlier revision of a run said and this one, after a dispute, does not;
    a need that nothing else speaks for ends."""
    run = ResultsRun.objects.filter(pk=run_id, is_current=True).first()
    if run is None:
        return
    rows = NeedReason.objects.filter(
        origin=Origin.RESULT,
        reference__endswith=f":{run.ends_on.isoformat()}",
        need__state__in=Need.WAITING,
    ).order_by("id")
    wrong = [pk for pk, reference in rows.values_list("pk", "reference") if reference not in said]
    for part in _parts(wrong, AT_ONCE):
        needs = Need.objects.filter(reasons__in=part).order_by("id")
        ids = list(dict.fromkeys(needs.values_list("pk", flat=True)))
        held = list(Need.objects.waiting().filter(pk__in=ids).select_for_update(of=("self",)))
        NeedReason.objects.filter(pk__in=part, need__in=held).delete()
        _add_up(ids)
        for need in held:
            if not need.reasons.exists():
                _end(need, State.DISMISSED, _("The result was corrected."), by=None, now=now)


def _wishes_of(results: Sequence[StaffResult]) -> Iterator[Wish]:
    answers: dict[str, list[int]] = {}
    for competency in Competency.objects.filter(is_active=True).order_by("position", "code"):
        for measure in competency.measures:
            answers.setdefault(measure, []).append(competency.pk)
    measures = {each.key: each for source in PERSON_SOURCES for each in source.measures()}
    overall = {key for key, each in measures.items() if each.is_overall}
    in_parts = {
        (result.staff_id, result.measure.partition("/")[0])
        for result in results
        if result.measure not in overall and result.measure in answers
    }
    for result in results:
        source = result.measure.partition("/")[0]
        if result.measure in overall and (result.staff_id, source) in in_parts:
            continue
        name = measures[result.measure].name if result.measure in measures else {}
        for competency_id in answers.get(result.measure, ()):
            yield Wish(
                staff_id=result.staff_id,
                origin=Origin.RESULT,
                reference=f"result:{result.staff_id}:{result.measure}:{competency_id}:"
                f"{result.run.ends_on.isoformat()}",
                text=in_all_languages(
                    gettext_lazy("What customers say about %(what)s, beside comparable colleagues"),
                    what=name or {"en": result.measure},
                ),
                benefit=_benefit_of(result),
                competency_id=competency_id,
            )


def _benefit_of(result: StaffResult) -> float:
    behind = max(0.0, (result.centre or 0.0) - (result.estimate or 0.0))
    return round(10 * behind * (result.probability_low or 0.0), 6)


def open_from_request(
    *,
    reference: str,
    staff_ids: Sequence[int],
    competency: str,
    text: str,
    now: datetime,
) -> int:
    """Open a need for each person that an improvement wants trained, and tell it how far it is."""
    found = Competency.objects.filter(code=competency).first()
    if found is None:
        # It was there when the action was planned; nobody can be trained in what is gone.
        return 0
    people = Staff.objects.filter(pk__in=staff_ids).values_list("pk", flat=True).order_by("pk")
    new = open_needs(
        (
            Wish(
                staff_id=staff_id,
                origin=Origin.TICKET,
                reference=_of_ticket(reference, staff_id),
                text={"en": text},
                benefit=2.0,
                competency_id=found.pk,
            )
            for staff_id in people
        ),
        now=now,
    )
    _tell_delivered(reference, now=now)
    return new


def _of_ticket(reference: str, staff_id: int | str) -> str:
    return f"ticket/{reference}/{staff_id}"


def _tell_delivered(reference: str, *, now: datetime) -> None:
    rows = NeedReason.objects.filter(
        origin=Origin.TICKET, reference__startswith=_of_ticket(reference, "")
    )
    publish(
        TrainingDelivered(
            reference=reference, done=rows.filter(need__state=State.MET).count(), of=rows.count()
        ),
        now=now,
    )


def search_needs(*, now: datetime) -> int:
    """Look once a day for what needs attention: gaps of skills, certificates that end, and needs
    whose session came to nothing; return how many needs are new."""
    today = local_day(now)
    _reopen_unplanned(now=now)
    _end_outdated(now=now)
    return open_needs(_gap_wishes(today), now=now) + open_needs(_renewals(today), now=now)


def _gap_wishes(today: date) -> Iterator[Wish]:
    """Where something was shown, and the post needs more. Who was never assessed has no gap that
    anybody knows of: the matrix asks for the assessment instead."""
    posts = list(required_by_post(on=today))
    at_work = Assignment.objects.filter(during(today), post_id__in=posts).exclude(
        staff__left_on__lte=today
    )
    people = at_work.order_by("staff_id").values_list("staff_id", flat=True).distinct()
    names = {each.pk: each.name for each in Competency.objects.order_by("pk")}
    # Read at once: what is written meanwhile must not disturb the reading.
    for part in _parts(list(people), 4 * AT_ONCE):
        gaps = gaps_of(part, on=today)
        for (staff_id, competency_id), gap in sorted(gaps.items()):
            if gap.seen_on is not None:
                yield Wish(
                    staff_id=staff_id,
                    origin=Origin.GAP,
                    reference=f"gap:{staff_id}:{competency_id}:"
                    f"{gap.required}-{gap.held or 0}-{gap.seen_on.isoformat()}",
                    text=in_all_languages(
                        gettext_lazy(
                            "The post needs level %(required)s of %(what)s, seen was %(held)s"
                        ),
                        required=str(gap.required),
                        held=str(gap.held or 0),
                        what=names[competency_id],
                    ),
                    benefit=float(gap.missing),
                    competency_id=competency_id,
                )


def _renewals(today: date) -> Iterator[Wish]:
    last = today + timedelta(days=EXPIRES_WITHIN)
    ending = (
        Certificate.objects.held_on(today)
        .filter(expires_on__lte=last)
        .filter(Q(staff__left_on__isnull=True) | Q(staff__left_on__gt=today))
        .exclude(renewed_by_newer())
        .select_related("course")
        .order_by("expires_on", "id")
    )
    for each in list(ending):
        if each.expires_on is None:
            continue
        left = (each.expires_on - today).days
        yield Wish(
            staff_id=each.staff_id,
            origin=Origin.CERTIFICATE,
            reference=f"certificate:{each.pk}:{each.expires_on.isoformat()}",
            text=in_all_languages(
                gettext_lazy("The certificate “%(course)s” ends on %(day)s"),
                course=each.course.name,
                day={"en": each.expires_on.isoformat()},
            ),
            benefit=round(3 - 2 * left / EXPIRES_WITHIN, 6),
            course_id=each.course_id,
        )


@transaction.atomic
def _reopen_unplanned(*, now: datetime) -> int:
    """Open planned needs anew whose enrolment ended without success."""
    rows = Need.objects.filter(state=State.PLANNED, enrolment__state__in=ENDED_WITHOUT)
    ids = list(rows.select_for_update(of=("self",)).order_by("id").values_list("pk", flat=True))
    Need.objects.filter(pk__in=ids).update(state=State.OPEN, enrolment=None)
    return len(ids)


@transaction.atomic
def _end_outdated(*, now: datetime) -> int:
    """End the needs of who left, and gaps that are none any more."""
    today = local_day(now)
    held = Need.objects.waiting().select_for_update(of=("self",)).order_by("id")
    gone = list(held.filter(staff__left_on__lte=today))
    for need in gone:
        _end(need, State.DISMISSED, _("The person left."), by=None, now=now)
    only_gaps = (
        Need.objects.waiting()
        .filter(reasons__origin=Origin.GAP)
        .exclude(pk__in=NeedReason.objects.exclude(origin=Origin.GAP).values("need_id"))
    )
    for part in _parts(only_gaps.order_by("id").distinct(), AT_ONCE):
        gaps = gaps_of({need.staff_id for need in part}, on=today)
        for need in part:
            if (need.staff_id, need.competency_id) not in gaps:
                _end(need, State.MET, _("There is no gap any more."), by=None, now=now)
    return len(gone)


# ---- Taking the list along -----------------------------------------------------------------------
PURPOSES = ("planning", "budget", "talk")
"""What a list of needs may be taken along for; never to part with people."""
COLUMNS = (
    "number", "name", "unit", "competency", "course", "state", "origins", "benefit", "opened_on",
    "purpose", "note",
)  # fmt: skip


@transaction.atomic
def export_needs(
    *, needs: QuerySet[Need], purpose: str, by: Principal, now: datetime
) -> list[list[object]]:
    """Return the rows of a list of needs that the asker sees, each with its note; the ledger keeps
    who took them and what for. raises: InvalidInput for any purpose that is not planning training,
    its budget, or talking about development"""
    by.require(Permission.PLAN_TRAINING)
    if purpose not in PURPOSES:
        raise _wrong(
            "purpose",
            _("Training needs are developmental: they are given out to plan training, for its "
              "budget or a talk about development, and for nothing else."),
        )  # fmt: skip
    found = list(needs)
    places = places_of([need.staff_id for need in found], on=local_day(now))
    record(
        action="needs.exported",
        subject="needs:*",
        by=by,
        now=now,
        details={"count": len(found), "purpose": purpose},
    )
    note_results(found, way="export", by=by, now=now)
    return [_row(need, places, purpose) for need in found]


def _row(need: Need, places: Mapping[int, Assignment], purpose: str) -> list[object]:
    at = places.get(need.staff_id)
    return [
        need.staff.number,
        need.staff.name,
        at.unit.code if at else "",
        need.competency.code if need.competency else "",
        need.course.code if need.course else "",
        need.state,
        " ".join(sorted({reason.origin for reason in need.reasons.all()})),
        need.benefit,
        need.opened_on,
        purpose,
        str(DEVELOPMENTAL),
    ]


def note_results(needs: Collection[Need], *, way: str, by: Principal, now: datetime) -> None:
    """Note for the people who looked at needs that tell of their results."""
    if people := tells_of_results(needs):
        note_look(staff_ids=people, way=way, by=by, now=now)


# ---- Planning and ending -------------------------------------------------------------------------
@transaction.atomic
def plan_need(*, need_id: int, session_id: int, by: Principal, now: datetime) -> Need:
    """Enrol the person in a session that answers the need, and note it: one step."""
    need = _held_by_planner(need_id, by, now=now)
    if need.state != State.OPEN:
        raise Conflict(_("This need does not wait to be planned."))
    session = Session.objects.filter(pk=session_id).select_related("version").first()
    if session is None or not answering(need).filter(pk=session.version.course_id).exists():
        raise _wrong("session", _("This session does not teach what is needed."))
    enrolment = enrol(
        session_id=session_id,
        staff_id=need.staff_id,
        origin=Enrolment.Origin.NEED,
        by=by,
        now=now,
    )
    if enrolment.state not in (Enrolment.State.ENROLLED, Enrolment.State.WAITING):
        raise Conflict(_("This session is closed."))
    need.state, need.enrolment = State.PLANNED, enrolment
    need.save(update_fields=["state", "enrolment"])
    _note("planned", need, by=by, now=now)
    return need


@transaction.atomic
def dismiss_need(*, need_id: int, why: str, by: Principal, now: datetime) -> Need:
    """Say that a need is not answered by training, and why; one's own request may be taken back by
    oneself."""
    today = local_day(now)
    seen = need_of(by, need_id, on=today)
    need = Need.objects.select_for_update(of=("self",)).get(pk=seen.pk)
    origins = set(need.reasons.values_list("origin", flat=True))
    is_own_request = by.staff_id == need.staff_id and origins == {Origin.PERSON.value}
    if not is_own_request and not _plans_for(by, need.staff_id, on=today):
        raise NotPermitted(_("Who plans the training of this person decides this."))
    if need.state not in Need.WAITING:
        raise Conflict(_("This need is over already."))
    said = why.strip()
    if not said or len(said) > 300:
        raise _wrong("why", _("Say why, in at most %(most)d characters.") % {"most": 300})
    _end(need, State.DISMISSED, said, by=by, now=now)
    return need


@transaction.atomic
def meet_needs(*, staff_id: int, course: str, now: datetime) -> int:
    """End the needs of a person that passing this course answers; return how many.

    Of a competency: when the course teaches what the post needs of it, or when it was what the need
    was planned for.
    """
    found = Course.objects.filter(code=course).first()
    if found is None:
        return 0
    holds = completions([staff_id], [found.pk], on=local_day(now))
    certified = Certificate.objects.filter(staff=staff_id, course=found)
    if (staff_id, found.pk) not in holds and certified.exists():
        # Late news, or a record of long ago: what is over by now answers nothing.
        return 0
    taught = dict(
        Taught.objects.filter(course=found).order_by("id").values_list("competency_id", "level")
    )
    met = 0
    required = required_of([staff_id], on=local_day(now))
    until = holds.get((staff_id, found.pk))
    for need in _waiting_of(staff_id):
        if _is_met(need, found, taught, required) and not _is_ending(need, found, until):
            _end(need, State.MET, _("Passed: %(course)s") % {"course": found}, by=None, now=now)
            met += 1
    return met


def _is_met(
    need: Need, course: Course, taught: Mapping[int, int], required: Mapping[tuple[int, int], int]
) -> bool:
    if need.competency_id is None:
        return need.course_id == course.pk
    if need.enrolment is not None and need.enrolment.session.version.course_id == course.pk:
        return True
    if need.competency_id not in taught:
        return False
    enough = required.get((need.staff_id, need.competency_id), 0)
    return taught[need.competency_id] >= enough


def _is_ending(need: Need, course: Course, until: date | None) -> bool:
    """True while what somebody holds of the course ends on a day for which a renewal is asked."""
    if until is None or need.competency_id is not None:
        return False
    asked = need.reasons.filter(
        origin=Origin.CERTIFICATE, reference__endswith=f":{until.isoformat()}"
    )
    return asked.exists()


@transaction.atomic
def meet_by_evidence(*, staff_id: int, competency: str, now: datetime) -> int:
    """End the need of a person for a competency that is now held as the post needs it; return how
    many. Where the post needs nothing evidence alone ends nothing."""
    today = local_day(now)
    held, required = held_levels([staff_id], on=today), required_of([staff_id], on=today)
    met = 0
    for need in _waiting_of(staff_id):
        if need.competency is None or need.competency.code != competency:
            continue
        key = (staff_id, need.competency.pk)
        if key in required and held.get(key, -1) >= required[key]:
            _end(need, State.MET, _("Seen at the level that the post needs."), by=None, now=now)
            met += 1
    return met


def _waiting_of(staff_id: int) -> list[Need]:
    rows = Need.objects.waiting().filter(staff_id=staff_id).order_by("id")
    return list(
        rows.select_for_update(of=("self",)).select_related(
            "competency", "enrolment__session__version"
        )
    )


def _end(need: Need, state: State, why: str, *, by: Principal | None, now: datetime) -> None:
    need.state, need.why_closed = state, why[:300]
    need.closed_on, need.closed_by = local_day(now), by.user if by else None
    need.save(update_fields=["state", "why_closed", "closed_on", "closed_by"])
    _note(state.value, need, by=by or system_principal(), now=now)
    asked = need.reasons.filter(origin=Origin.TICKET).values_list("reference", flat=True)
    references = {each.removeprefix("ticket/").rpartition("/")[0] for each in asked}
    for reference in sorted(references - {""}):
        _tell_delivered(reference, now=now)


def _held_by_planner(need_id: int, by: Principal, *, now: datetime) -> Need:
    today = local_day(now)
    seen = need_of(by, need_id, on=today)
    if not _plans_for(by, seen.staff_id, on=today):
        raise NotPermitted(_("Who plans the training of this person decides this."))
    return Need.objects.select_for_update(of=("self",)).get(pk=seen.pk)


def _plans_for(by: Principal, staff_id: int, *, on: date) -> bool:
    return may_for(by, Permission.PLAN_TRAINING, staff_id, on=on)


def _note(act: str, need: Need, *, by: Principal, now: datetime) -> None:
    record(
        action=f"need.{act}",
        subject=f"staff:{need.staff_id}",
        by=by,
        now=now,
        details={"need": need.pk, "competency": need.competency_id, "course": need.course_id},
    )


def _wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput(reason, problems=[Problem(reason, field=field)])
