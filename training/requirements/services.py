"""Saying what must be learnt; working out who owes it; waivers; reminders; saved filters.

What somebody owes is worked out for pieces of staff at a time, each in one transaction that holds
their rows, and only what changed is written: working it out twice writes nothing.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Max
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.text import in_all_languages
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext
from sqcore.jobs.services import start
from sqcore.notices.services import notify
from sqcore.org.models import Assignment, Placement, Post, RoleGrant, Staff, Unit, during
from sqcore.org.queries import local_day, principal_for
from training.certificates.services import end_older_certificates
from training.courses.models import Course
from training.requirements.models import Obligation, Reminder, Requirement, SavedFilter, Waiver
from training.requirements.queries import (
    expiring_certificates,
    facts_of,
    obligations_due_by,
    overdue_seen_by,
    rules_on,
)
from training.requirements.rulebook import Owed, RuleBook, standing

JOB_KIND = "training.requirements"
AT_ONCE = 4000
"""So many people a transaction."""
MOST_AT_ONCE = 2000
"""More than these are left to a job."""
LONGEST_DAYS = 3650
BEFORE_DUE = (3, 14, 30)
BEFORE_EXPIRY = (30, 60, 90)

T = TypeVar("T")
Report = Callable[[int, int], None]
Fence = Callable[[], AbstractContextManager[Any]]


# ---- What must be learnt -------------------------------------------------------------------------
@transaction.atomic
def require_course(
    *,
    course: Course,
    post: Post | None,
    unit: Unit | None,
    within_days: int,
    reason: str,
    valid_from: date,
    by: Principal,
    now: datetime,
) -> Requirement:
    """Require a course of a post (none: any) at a unit and below (none: everywhere); who owes it is
    worked out by a job.

    raises: NotPermitted, InvalidInput naming each field, Conflict when it is required already
    """
    _require_manager(by, unit.pk if unit else None)
    _refuse_unusable(course, unit, within_days, reason, valid_from)
    try:
        with transaction.atomic():
            made = Requirement.objects.create(
                course=course,
                post=post,
                unit=unit,
                within_days=within_days,
                reason=reason.strip(),
                valid_from=valid_from,
            )
    except IntegrityError as error:
        raise Conflict(_("This course is required there already.")) from error
    _note("required", made, by=by, now=now)
    start_recompute(key=f"requirement:{made.pk}:{now.isoformat()}", now=now)
    return made


@transaction.atomic
def end_requirement(*, requirement_id: int, on: date, by: Principal, now: datetime) -> None:
    """End a requirement from this day on; one that never held by then is taken away.

    raises: NotFound, NotPermitted, Conflict when it ended already, InvalidInput for a day before
    today
    """
    found = Requirement.objects.select_for_update(of=("self",)).filter(pk=requirement_id).first()
    if found is None:
        raise NotFound(_("There is no such requirement."))
    _require_manager(by, found.unit_id)
    if found.valid_to is not None:
        raise Conflict(_("This requirement has ended already."))
    if on < local_day(now):
        raise _wrong("on", _("This day is over already."))
    _note("ended", found, by=by, now=now)
    key = f"requirement:{found.pk}:{now.isoformat()}"
    if found.valid_from >= on:
        Obligation.objects.filter(requirement=found).delete()
        found.delete()
    else:
        found.valid_to = on
        found.save(update_fields=["valid_to"])
    start_recompute(key=key, now=now)


def _require_manager(by: Principal, unit_id: int | None) -> None:
    scope = by.scope(Permission.MANAGE_TRAINING)
    if not (scope.everywhere or (unit_id is not None and unit_id in scope)):
        raise NotPermitted(_("You may not say what is required there."))


def _refuse_unusable(
    course: Course, unit: Unit | None, within_days: int, reason: str, valid_from: date
) -> None:
    faults = {
        "course": not course.is_active and _("This course is not offered any more."),
        "unit": unit is not None
        and unit.closed_on is not None
        and unit.closed_on <= valid_from
        and _("This unit is closed then."),
        "within_days": not 0 <= within_days <= LONGEST_DAYS
        and _("Give a number of days from 0 to %(most)d.") % {"most": LONGEST_DAYS},
        "reason": len(reason.strip()) > 300
        and _("Write at most %(most)d characters.") % {"most": 300},
        "valid_from": not date(2000, 1, 1) <= valid_from <= date(2200, 12, 31)
        and _("This day cannot be meant."),
    }
    problems = [Problem(why, field=name) for name, why in faults.items() if why]
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


def _note(act: str, requirement: Requirement, *, by: Principal, now: datetime) -> None:
    record(
        action=f"requirement.{act}",
        subject=f"requirement:{requirement.pk}",
        by=by,
        now=now,
        details={
            "course": requirement.course_id,
            "post": requirement.post_id,
            "unit": requirement.unit_id,
            "within_days": requirement.within_days,
        },
    )


def _wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput(reason, problems=[Problem(reason, field=field)])


# ---- Who owes it ---------------------------------------------------------------------------------
@dataclass
class Worked:
    """What working it out changed."""

    people: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0

    def add(self, other: "Worked") -> None:
        self.people += other.people
        self.new += other.new
        self.changed += other.changed
        self.gone += other.gone

    def as_json(self) -> dict[str, int]:
        return {
            "people": self.people,
            "new": self.new,
            "changed": self.changed,
            "gone": self.gone,
        }


def recompute_all(
    *, now: datetime, report: Report | None = None, fenced: Fence = transaction.atomic
) -> Worked:
    """Work out what everybody owes, some thousand people a transaction; only changes are written.

    report: told how many of how many people are done; fenced: opens each transaction
    """
    on = local_day(now)
    book = RuleBook(rules_on(on), on)
    total = Staff.objects.count()
    done = Worked()
    ids = Staff.objects.order_by("pk").values_list("pk", flat=True)
    for piece in _pieces(ids.iterator(chunk_size=AT_ONCE), AT_ONCE):
        # Between the ids of a piece stands nobody else: a range asks less of the database.
        with fenced():
            done.add(_recompute({"staff_id__gte": piece[0], "staff_id__lte": piece[-1]}, book))
        if report is not None:
            report(done.people, total)
    return done


def recompute_staff(*, staff_ids: Iterable[int], now: datetime) -> Worked:
    """Work out what these people owe. Quick for some hundreds."""
    on = local_day(now)
    book = RuleBook(rules_on(on), on)
    done = Worked()
    for piece in _pieces(sorted(set(staff_ids)), AT_ONCE):
        with transaction.atomic():
            done.add(_recompute({"staff_id__in": piece}, book))
    return done


def recompute_some(*, staff_ids: Sequence[int], key: str, now: datetime) -> None:
    """Work out what these people owe: at once, or, when they are many, in a job of this key."""
    if len(staff_ids) <= MOST_AT_ONCE:
        recompute_staff(staff_ids=staff_ids, now=now)
    else:
        start_recompute(key=key, now=now)


def recompute_for_version(*, version_id: int, on: date, now: datetime) -> None:
    """Work out what people owe of a course of which this version is in use from this day on.

    Certificates that it ends are ended here first: whoever else hears of it may come later.
    """
    end_older_certificates(version_id=version_id, on=on, now=now)
    owing = Obligation.objects.filter(course__versions=version_id).order_by("staff_id")
    staff_ids = list(owing.values_list("staff_id", flat=True).distinct())
    recompute_some(staff_ids=staff_ids, key=f"version:{version_id}", now=now)


def _pieces(rows: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    left = iter(rows)
    while piece := tuple(islice(left, size)):
        yield piece


Row = tuple[Any, ...]
COLUMNS = ("unit_id", "post_id", "requirement_id", "state", "since_on", "due_on", "holds_until")


def _recompute(who: dict[str, Any], book: RuleBook) -> Worked:
    """Work out what the people owe whom `who` names; the rows of staff are locked first, so that
    of two at once the second sees what the first wrote."""
    staff = Staff.objects.filter(
        **{name.replace("staff_id", "pk"): ids for name, ids in who.items()}
    )
    locked = staff.order_by("pk").select_for_update(of=("self",), no_key=True)
    left = dict(locked.values_list("pk", "left_on"))
    facts = facts_of(who, book)
    stored: dict[tuple[int, int], tuple[int, Row]] = {}
    rows = Obligation.objects.filter(**who)
    for pk, staff_id, course_id, *rest in rows.values_list("pk", "staff_id", "course_id", *COLUMNS):
        stored[staff_id, course_id] = (pk, tuple(rest))
    worked = Worked(people=len(left))
    fresh: list[Row] = []
    for staff_id, left_on in left.items():
        if left_on is not None and left_on <= book.on:
            continue
        for owed in book.owed(facts.places.get(staff_id, ())).values():
            row = _row(staff_id, owed, facts, book.on)
            _pk, known = stored.pop((staff_id, owed.course_id), (0, None))
            if known == row:
                continue
            worked.new += known is None
            worked.changed += known is not None
            fresh.append((staff_id, owed.course_id, *row))
    worked.gone = len(stored)
    _write(fresh, [pk for pk, _row in stored.values()])
    return worked


def _row(staff_id: int, owed: Owed, facts: Any, on: date) -> Row:
    key = (staff_id, owed.course_id)
    found = standing(
        owed, proofs=facts.proofs.get(key, ()), releases=facts.releases.get(key, ()), on=on
    )
    return (
        owed.unit_id,
        owed.post_id,
        owed.requirement_id,
        found.state,
        owed.since_on,
        found.due_on,
        found.holds_until,
    )


def _write(fresh: Sequence[Row], gone: Sequence[int]) -> None:
    """Take away what is gone, and write what is new or changed. As plain SQL: made as instances,
    the rows of 100,000 people took five times as long."""
    for piece in _pieces(gone, 500):
        Obligation.objects.filter(pk__in=piece).delete()
    if not fresh:
        return
    names = ("staff_id", "course_id", *COLUMNS)
    sets = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS)
    places = ", ".join(["%s"] * len(names))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {Obligation._meta.db_table} ({', '.join(names)}) VALUES ({places}) "  # noqa: S608 - names of our own columns
            f"ON CONFLICT (staff_id, course_id) DO UPDATE SET {sets}",
            [tuple(_stored(value) for value in row) for row in fresh],
        )


def _stored(value: Any) -> Any:
    """Days as both databases read them; the adapters of the driver are on their way out."""
    return value.isoformat() if isinstance(value, date) else value


class RequirementsJob:
    """Works out what everybody owes, then reminds; beginning again is harmless."""

    key = JOB_KIND

    def run(self, context: JobContext) -> None:
        now = context.now()
        done = recompute_all(
            now=now,
            report=lambda done, total: context.progress(done, total, "Requirements"),
            fenced=context.fenced,
        )
        reminded = 0
        if context.parameters.get("reminds"):
            reminded = send_reminders(now=now, fenced=context.fenced)
        with context.completing({**done.as_json(), "reminded": reminded}):
            pass


def start_recompute(*, key: str, now: datetime, reminds: bool = False) -> Job:
    return start(
        kind=JOB_KIND,
        key=key,
        title={"en": "What training is required of whom", "zh-hans": "核对必修培训"},
        parameters={"reminds": reminds},
        owner=None,
        now=now,
    )


def start_of_day(*, now: datetime) -> bool:
    """Start the day's work, once a business day, for new days end certificates and waivers; and
    again when the tree of units, or who works where, has changed since."""
    key = f"day:{local_day(now).isoformat()}:{_places_mark()}"
    if Job.objects.filter(kind=JOB_KIND, key=key).exists():
        return False
    start_recompute(key=key, now=now, reminds=True)
    return True


def _places_mark() -> str:
    """Return what is another text after a unit was moved or somebody changed places."""
    marks = [
        rows.aggregate(newest=Max("pk"), ended=Count("valid_to"), last=Max("valid_to"))
        for rows in (Placement.objects.all(), Assignment.objects.all())
    ]
    text = json.dumps(marks, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# ---- Waivers -------------------------------------------------------------------------------------
@transaction.atomic
def waive(
    *, staff_id: int, course: Course, reason: str, until: date | None, by: Principal, now: datetime
) -> Waiver:
    """Say that somebody need not, and why; until this day, or for good.

    raises: NotFound for who is not theirs, NotPermitted for oneself, InvalidInput, Conflict when
    they do not owe it or a waiver is in force
    """
    user = _person(by)
    _owed_of(staff_id, course.pk, by, now=now)
    said = reason.strip()
    if not said or len(said) > 500:
        raise _wrong("reason", _("Write why, in at most %(most)d characters.") % {"most": 500})
    on = local_day(now)
    if until is not None and not on < until <= date(2200, 12, 31):
        raise _wrong("until", _("Choose a day after today."))
    present = Waiver.objects.select_for_update(of=("self",)).filter(
        staff_id=staff_id, course=course, ended_at__isnull=True
    )
    if present.filter(until__isnull=True).exists() or present.filter(until__gt=on).exists():
        raise Conflict(_("This is waived already."))
    present.update(ended_at=now)
    made = Waiver.objects.create(
        staff_id=staff_id, course=course, reason=said, until=until, given_by=user, given_at=now
    )
    record(
        action="requirement.waived",
        subject=f"staff:{staff_id}",
        by=by,
        now=now,
        details={"course": course.pk, "until": until.isoformat() if until else None},
    )
    recompute_staff(staff_ids=[staff_id], now=now)
    return made


@transaction.atomic
def end_waiver(*, waiver_id: int, by: Principal, now: datetime) -> None:
    """End a waiver now. raises: NotFound, NotPermitted, Conflict when it is over"""
    _person(by)
    found = Waiver.objects.select_for_update(of=("self",)).filter(pk=waiver_id).first()
    if found is None:
        raise NotFound(_("There is no such waiver."))
    _owed_of(found.staff_id, found.course_id, by, now=now)
    if found.ended_at is not None:
        raise Conflict(_("This waiver is over already."))
    found.ended_at = now
    found.save(update_fields=["ended_at"])
    record(
        action="requirement.waiver_ended",
        subject=f"staff:{found.staff_id}",
        by=by,
        now=now,
        details={"course": found.course_id},
    )
    recompute_staff(staff_ids=[found.staff_id], now=now)


def _owed_of(staff_id: int, course_id: int, by: Principal, *, now: datetime) -> Obligation:
    """Return what somebody owes, where the asker may waive it."""
    seen = Obligation.objects.visible_to(by, on=local_day(now))
    found = seen.filter(staff_id=staff_id, course_id=course_id).first()
    if found is None:
        raise NotFound(_("This person does not owe that, or is not yours."))
    by.require(Permission.MANAGE_TRAINING, unit_id=found.unit_id)
    if by.staff_id == staff_id:
        raise NotPermitted(_("Another person decides what you need not do."))
    return found


def _person(by: Principal) -> User:
    if by.user is None:
        raise NotPermitted(_("Only a person does this."))
    return by.user


# ---- Reminders -----------------------------------------------------------------------------------
def send_reminders(*, now: datetime, fenced: Fence = transaction.atomic) -> int:
    """Remind people of what is due or ends soon, each once an occasion, and tell managers once a
    week of what is overdue; return how many were told.

    An occasion that nobody worked on is made up for: what is due in ten days and was never reminded
    of is reminded of once, not twice.
    """
    on = local_day(now)
    told = 0
    for piece in _pieces(_occasions(on), 500):
        with fenced():
            told += _remind(piece, now=now)
    with fenced():
        told += _tell_managers(now=now, on=on)
    return told


@dataclass(frozen=True)
class Occasion:
    """One person and what to remind them of; those of the same `about` read the same."""

    key: str
    staff_id: int
    about: tuple[str, int, date]


def _occasions(on: date) -> Iterator[Occasion]:
    for staff_id, course_id, due_on in obligations_due_by(on + timedelta(days=30), on=on):
        step = _step((due_on - on).days, BEFORE_DUE)
        key = f"due:{staff_id}:{course_id}:{due_on}:{step}"
        yield Occasion(key, staff_id, ("due", course_id, due_on))
    for pk, staff_id, course_id, ends_on in expiring_certificates(on + timedelta(days=90), on=on):
        step = _step((ends_on - on).days, BEFORE_EXPIRY)
        key = f"expires:{pk}:{step}"
        yield Occasion(key, staff_id, ("expires", course_id, ends_on))


def _step(days: int, steps: Sequence[int]) -> int:
    """Return the occasion that so many days before belong to.

    >>> [_step(days, BEFORE_DUE) for days in (30, 15, 14, 4, 3, 0)]
    [30, 30, 14, 14, 3, 3]
    """
    return next(step for step in steps if days <= step)


def _remind(piece: Sequence[Occasion], *, now: datetime) -> int:
    ids = sorted({each.staff_id for each in piece})
    # Two at once: the second waits here and then finds the keys of the first.
    locked = Staff.objects.filter(pk__in=ids).order_by("pk")
    list(locked.select_for_update(of=("self",), no_key=True).values_list("pk"))
    keys = [each.key for each in piece]
    sent = set(Reminder.objects.filter(key__in=keys).values_list("key", flat=True))
    fresh = {each.key: each for each in piece if each.key not in sent}
    readers = Staff.objects.filter(
        pk__in={each.staff_id for each in fresh.values()}, user__is_active=True
    )
    people = {each.pk: each.user for each in readers.select_related("user") if each.user}
    reached = [each for each in fresh.values() if each.staff_id in people]
    Reminder.objects.bulk_create(
        Reminder(key=each.key, staff_id=each.staff_id, sent_at=now) for each in reached
    )
    groups: dict[tuple[str, tuple[str, int, date]], list[User]] = defaultdict(list)
    for each in reached:
        groups[each.key.rpartition(":")[2], each.about].append(people[each.staff_id])
    courses = Course.objects.in_bulk({about[1] for _step, about in groups})
    for (step, about), told in groups.items():
        _tell(courses[about[1]], step, about, told, now=now)
    return len(reached)


def _tell(
    course: Course,
    step: str,
    about: tuple[str, int, date],
    readers: Sequence[User],
    *,
    now: datetime,
) -> None:
    what, _course_id, day = about
    if what == "due":
        title = gettext_lazy("Required training: %(course)s")
        body = gettext_lazy("It is to be done by %(day)s.")
        reason = gettext_lazy("It is required of your work.")
    else:
        title = gettext_lazy("Your certificate ends: %(course)s")
        body = gettext_lazy("It is valid until %(day)s. Renew it before.")
        reason = gettext_lazy("You hold this certificate.")
    notify(
        readers=readers,
        key=f"training-{what}:{course.pk}:{day}:{step}",
        title=in_all_languages(title, course=course.name),
        body=in_all_languages(body, day=day),
        reason=in_all_languages(reason),
        link=reverse("training:records-mine"),
        now=now,
    )


def _tell_managers(*, now: datetime, on: date) -> int:
    """Tell each manager, once a week, how much is overdue at their units."""
    year, week, _day = on.isocalendar()
    grants = RoleGrant.objects.filter(during(on), role=Role.MANAGER, user__is_active=True)
    told = 0
    for grant in grants.select_related("user", "unit").order_by("user_id", "id"):
        if grant.unit is None:
            continue
        mine = overdue_seen_by(principal_for(grant.user, on=on), on=on, unit=grant.unit)
        people, courses = mine.people, mine.obligations
        if not courses:
            continue
        told += notify(
            readers=[grant.user],
            key=f"training-overdue:{grant.unit.pk}:{year}-W{week:02}",
            title=in_all_languages(
                gettext_lazy("Overdue training at %(unit)s"), unit=grant.unit.name
            ),
            body=in_all_languages(
                gettext_lazy("%(courses)s courses of %(people)s people are overdue."),
                courses={"en": str(courses)},
                people={"en": str(people)},
            ),
            reason=in_all_languages(gettext_lazy("You manage this unit.")),
            link=f"{reverse('training:requirements-overdue')}?unit={grant.unit.code}",
            permission=Permission.VIEW_TRAINING,
            unit_id=grant.unit.pk,
            now=now,
        )
    return told


# ---- Saved filters -------------------------------------------------------------------------------
def save_filter(*, page: str, name: str, query: str, by: Principal) -> SavedFilter:
    """Keep what somebody looks at under a name; the same name again takes its place."""
    user = _person(by)
    said = " ".join(name.split())
    if not said or len(said) > 80:
        raise _wrong("name", _("Give it a name of at most %(most)d characters.") % {"most": 80})
    if len(query) > 500:
        raise _wrong("name", _("This filter is too long to be kept."))
    kept, _is_new = SavedFilter.objects.update_or_create(
        user=user, page=page, name=said, defaults={"query": query}
    )
    return kept


def forget_filter(*, filter_id: int, by: Principal) -> None:
    """raises: NotFound for one of somebody else"""
    deleted, _models = SavedFilter.objects.filter(pk=filter_id, user=by.user).delete()
    if not deleted:
        raise NotFound(_("There is no such filter."))


def note_export(*, query: str, by: Principal, now: datetime) -> None:
    """Write into the ledger that the matrix left the house, as far as it was filtered."""
    record(
        action="requirement.exported", subject="obligations", by=by, now=now,
        details={"query": query},
    )  # fmt: skip
