"""Reading what is required: the rules of a day, the facts they are held against, the matrix."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import (
    Count,
    Exists,
    Max,
    OuterRef,
    Q,
    QuerySet,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Post, Staff, Unit, during
from sqcore.org.queries import local_day, tree_on
from training.certificates.models import Certificate, ExternalTraining
from training.courses.models import Course, CourseVersion
from training.enrolments.models import Enrolment
from training.requirements.models import Obligation, Requirement, SavedFilter, Waiver
from training.requirements.rulebook import Place, Proof, Release, Rule, RuleBook

SOON = 90
"""Days within which the end of a certificate is spoken of."""


# ---- Rules and facts -----------------------------------------------------------------------------
def rules_on(on: date) -> list[Rule]:
    """Return the requirements of a day, each with the units where it holds that day."""
    tree = tree_on(on)
    found = Requirement.objects.filter(during(on)).order_by("pk")
    return [
        Rule(
            each.pk,
            each.course_id,
            each.post_id,
            None if each.unit_id is None else tree.within([each.unit_id]),
            each.within_days,
            each.valid_from,
        )
        for each in found
    ]


@dataclass
class Facts:
    """What is known of people, by staff or by staff and course."""

    places: dict[int, list[Place]] = field(default_factory=lambda: defaultdict(list))
    proofs: dict[tuple[int, int], list[Proof]] = field(default_factory=lambda: defaultdict(list))
    releases: dict[tuple[int, int], list[Release]] = field(
        default_factory=lambda: defaultdict(list)
    )


def facts_of(who: Mapping[str, Any], book: RuleBook) -> Facts:
    """Return what decides how these people stand. `who` is a look-up of `staff_id`. Five queries,
    whatever their number."""
    facts = Facts()
    courses = sorted({rule.course_id for rule in book.rules})
    if not courses:
        return facts
    places = Assignment.objects.filter(**who, valid_from__lte=book.on)
    for staff_id, unit_id, post_id, first, end in places.values_list(
        "staff_id", "unit_id", "post_id", "valid_from", "valid_to"
    ):
        facts.places[staff_id].append(Place(unit_id, post_id, first, end))
    _certificates(facts, who, courses)
    _passes(facts, who, courses)
    _elsewhere(facts, who, courses)
    waivers = Waiver.objects.filter(**who, course_id__in=courses)
    for staff_id, course_id, until, ended_at in waivers.values_list(
        "staff_id", "course_id", "until", "ended_at"
    ):
        ended_on = local_day(ended_at) if ended_at else None
        facts.releases[staff_id, course_id].append(Release(until, ended_on))
    return facts


def _certificates(facts: Facts, who: Mapping[str, Any], courses: Sequence[int]) -> None:
    found = Certificate.objects.filter(**who, course_id__in=courses)
    for staff_id, course_id, issued_on, expires_on, revoked_at in found.values_list(
        "staff_id", "course_id", "issued_on", "expires_on", "revoked_at"
    ):
        revoked_on = local_day(revoked_at) if revoked_at else None
        facts.proofs[staff_id, course_id].append(Proof(issued_on, expires_on, revoked_on))


def _passes(facts: Facts, who: Mapping[str, Any], courses: Sequence[int]) -> None:
    """What was passed counts where it gives no certificate, unless a later version took the place
    of the older ones."""
    newest = CourseVersion.objects.filter(
        course_id__in=courses, replaces_older=True, published_at__isnull=False
    )
    least = dict(newest.values("course_id").annotate(n=Max("number")).values_list("course_id", "n"))
    plain = CourseVersion.objects.filter(course_id__in=courses, certifies=False)
    versions = {
        pk: course_id
        for pk, course_id, number in plain.values_list("pk", "course_id", "number")
        if number >= least.get(course_id, 0)
    }
    if not versions:
        return
    found = Enrolment.objects.filter(
        **who, state=Enrolment.State.PASSED, session__version_id__in=list(versions)
    )
    for staff_id, version_id, on in found.values_list(
        "staff_id", "session__version_id", Coalesce("concluded_on", "session__ends_on")
    ):
        facts.proofs[staff_id, versions[version_id]].append(Proof(on))


def _elsewhere(facts: Facts, who: Mapping[str, Any], courses: Sequence[int]) -> None:
    """Approved training elsewhere counts itself where it brought no certificate."""
    found = ExternalTraining.objects.filter(
        **who,
        course_id__in=courses,
        state=ExternalTraining.State.APPROVED,
        certificate__isnull=True,
    )
    for staff_id, course_id, on in found.values_list("staff_id", "course_id", "ended_on"):
        if course_id is not None:
            facts.proofs[staff_id, course_id].append(Proof(on))


# ---- What is due ---------------------------------------------------------------------------------
def obligations_due_by(last: date, *, on: date) -> Iterator[tuple[int, int, date]]:
    """Yield person, course and day of what is still to do and due from this day to the last."""
    found = Obligation.objects.filter(
        state=Obligation.State.OPEN, due_on__gte=on, due_on__lte=last, staff__user__isnull=False
    )
    yield from found.order_by("staff_id", "course_id").values_list(
        "staff_id", "course_id", "due_on"
    )


def expiring_certificates(last: date, *, on: date) -> Iterator[tuple[int, int, int, date]]:
    """Yield the certificates of people who work here that end from this day to the last and that
    none in force replaces: id, person, course, day."""
    others = (
        Certificate.objects.held_on(on)
        .filter(staff_id=OuterRef("staff_id"), course_id=OuterRef("course_id"))
        .filter(Q(expires_on__isnull=True) | Q(expires_on__gt=OuterRef("expires_on")))
    )
    found = (
        Certificate.objects.held_on(on)
        .filter(~Exists(others), expires_on__lte=last, staff__user__isnull=False)
        .filter(Q(staff__left_on__isnull=True) | Q(staff__left_on__gt=on))
    )
    rows = found.order_by("staff_id", "pk")
    for pk, staff_id, course_id, ends_on in rows.values_list(
        "pk", "staff_id", "course_id", "expires_on"
    ):
        if ends_on is not None:
            yield pk, staff_id, course_id, ends_on


def overdue(on: date) -> Q:
    """What should have been done before this day."""
    return Q(state=Obligation.State.OPEN, due_on__lt=on)


@dataclass(frozen=True)
class Owing:
    people: int
    obligations: int


def overdue_seen_by(principal: Principal, *, on: date, unit: Unit | None = None) -> Owing:
    """Count what is overdue where the asker sees it; at a unit and below, if one is named."""
    found = Obligation.objects.visible_to(principal, on=on).filter(overdue(on))
    if unit is not None:
        found = found.filter(unit_id__in=tree_on(on).within([unit.pk]))
    counts = found.aggregate(n=Count("pk"), people=Count("staff_id", distinct=True))
    return Owing(people=counts["people"], obligations=counts["n"])


# ---- Requirements --------------------------------------------------------------------------------
def requirements_seen_by(principal: Principal) -> QuerySet[Requirement]:
    """Return what is required, now or later: everybody may read the rules that they work under."""
    sees = principal.staff_id is not None or principal.may(Permission.VIEW_TRAINING)
    found = Requirement.objects.all() if sees else Requirement.objects.none()
    return found.select_related("course", "post", "unit")


def requirement_of(principal: Principal, pk: int) -> Requirement:
    """raises: NotFound"""
    found = requirements_seen_by(principal).filter(pk=pk).first()
    if found is None:
        raise NotFound(_("There is no such requirement."))
    return found


@dataclass(frozen=True)
class Outlook:
    """What a requirement would mean: for how many people, how many of them have what meets it, how
    many owe the course already, how many would be late at once."""

    people: int
    met: int
    owe_already: int
    late: int

    @property
    def new(self) -> int:
        return self.people - self.owe_already


def outlook_of(
    *,
    course: Course,
    post: Post | None,
    unit: Unit | None,
    within_days: int,
    valid_from: date,
    on: date,
) -> Outlook:
    """Return what a requirement would mean if it held from its day on; nothing is written."""
    day = max(on, valid_from)
    places = Assignment.objects.filter(during(day))
    if post is not None:
        places = places.filter(post=post)
    if unit is not None:
        places = places.filter(unit_id__in=tree_on(day).within([unit.pk]))
    staff = Staff.objects.filter(pk__in=places.values("staff_id")).filter(
        Q(left_on__isnull=True) | Q(left_on__gt=day)
    )
    held = _meeting(course, day)
    late = staff.filter(~held)
    if valid_from + timedelta(days=within_days) >= day:
        late = late.none()
    else:
        began = day - timedelta(days=within_days)
        late = late.filter(pk__in=places.filter(valid_from__lt=began).values("staff_id"))
    owes = Exists(Obligation.objects.filter(staff_id=OuterRef("pk"), course=course))
    return Outlook(
        people=staff.count(),
        met=staff.filter(held).count(),
        owe_already=staff.filter(owes).count(),
        late=late.count(),
    )


def _meeting(course: Course, on: date) -> Q:
    certified = Certificate.objects.held_on(on).filter(staff_id=OuterRef("pk"), course=course)
    passed = Enrolment.objects.filter(
        staff_id=OuterRef("pk"),
        state=Enrolment.State.PASSED,
        session__version__course=course,
        session__version__certifies=False,
    )
    return Q(Exists(certified)) | Q(Exists(passed))


# ---- The matrix ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Asked:
    """What the matrix and its lists are filtered by; empty where nothing was asked."""

    unit: Unit | None = None
    post: Post | None = None
    course: Course | None = None
    state: str = ""
    text: str = ""
    within: int = SOON


STATES = ("overdue", "open", "expiring", "met", "waived")


def asked_obligations(principal: Principal, asked: Asked, *, on: date) -> QuerySet[Obligation]:
    """Return what the asker sees of what people owe, as far as it was asked for."""
    found = Obligation.objects.visible_to(principal, on=on)
    if asked.unit is not None:
        found = found.filter(unit_id__in=tree_on(on).within([asked.unit.pk]))
    if asked.post is not None:
        found = found.filter(post_id=asked.post.pk)
    if asked.course is not None:
        found = found.filter(course=asked.course)
    return found.filter(_in_state(asked, on))


def _in_state(asked: Asked, on: date) -> Q:
    soon = on + timedelta(days=asked.within)
    return {
        "overdue": overdue(on),
        "open": Q(state=Obligation.State.OPEN),
        "expiring": Q(state=Obligation.State.MET, holds_until__lte=soon),
        "met": Q(state=Obligation.State.MET),
        "waived": Q(state=Obligation.State.WAIVED),
    }.get(asked.state, Q())


def people_asked(principal: Principal, asked: Asked, *, on: date) -> QuerySet[Staff]:
    """Return the people of the matrix, by number."""
    mine = asked_obligations(principal, asked, on=on).filter(staff_id=OuterRef("pk"))
    found = Staff.objects.filter(Exists(mine))
    return found.filter(_named(asked.text)).order_by("number")


def _named(text: str, prefix: str = "") -> Q:
    said = text.strip()
    if not said:
        return Q()
    return Q(**{f"{prefix}number__istartswith": said}) | Q(**{f"{prefix}name__icontains": said})


def rows_asked(principal: Principal, asked: Asked, *, on: date) -> QuerySet[Obligation]:
    """Return the same as rows: one person and one course each, the first due at the front."""
    found = asked_obligations(principal, asked, on=on).filter(_named(asked.text, "staff__"))
    return found.select_related("staff", "course")


def obligations_of(
    principal: Principal, staff_ids: Iterable[int], *, on: date
) -> dict[int, dict[int, Obligation]]:
    """Return what these people owe, by person and course."""
    found: dict[int, dict[int, Obligation]] = defaultdict(dict)
    rows = Obligation.objects.visible_to(principal, on=on).filter(staff_id__in=list(staff_ids))
    for row in rows:
        found[row.staff_id][row.course_id] = row
    return found


def required_courses(on: date) -> list[Course]:
    """Return the courses that something requires on this day, by their code."""
    required = Requirement.objects.filter(during(on)).values("course_id")
    return list(Course.objects.filter(pk__in=required).order_by("code"))


def waivers_seen_by(principal: Principal, *, on: date) -> QuerySet[Waiver]:
    """Return the waivers in force of people whom the asker sees, the newest first."""
    owed = Obligation.objects.visible_to(principal, on=on).filter(
        staff_id=OuterRef("staff_id"), course_id=OuterRef("course_id")
    )
    found = Waiver.objects.filter(Exists(owed), ended_at__isnull=True)
    found = found.filter(Q(until__isnull=True) | Q(until__gt=on))
    return found.select_related("staff", "course", "given_by").order_by("-pk")


def filters_of(principal: Principal, page: str) -> list[SavedFilter]:
    if principal.user is None:
        return []
    return list(SavedFilter.objects.filter(user=principal.user, page=page).order_by("name"))


# ---- How far it is -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Coverage:
    """How much of what is owed at one place is met or waived, open, or overdue."""

    unit_id: int
    met: int
    waived: int
    open: int
    overdue: int

    @property
    def total(self) -> int:
        return self.met + self.waived + self.open


def coverage(principal: Principal, *, on: date) -> list[Coverage]:
    """Return how far it is at each unit where the asker sees people, without its descendants."""
    rows = (
        Obligation.objects.visible_to(principal, on=on)
        .order_by()
        .values("unit_id")
        .annotate(
            met=Count("pk", filter=Q(state=Obligation.State.MET)),
            waived=Count("pk", filter=Q(state=Obligation.State.WAIVED)),
            open=Count("pk", filter=Q(state=Obligation.State.OPEN)),
            late=Count("pk", filter=overdue(on)),
        )
    )
    return [
        Coverage(row["unit_id"], row["met"], row["waived"], row["open"], row["late"])
        for row in rows
    ]


def expiring_counts(principal: Principal, *, on: date) -> tuple[int, int, int]:
    """Return how many obligations end within 30, 60 and 90 days."""
    found = Obligation.objects.visible_to(principal, on=on).filter(state=Obligation.State.MET)
    days = [on + timedelta(days=n) for n in (30, 60, 90)]
    counts = found.filter(holds_until__lte=days[2]).aggregate(
        a=Count("pk", filter=Q(holds_until__lte=days[0])),
        b=Count("pk", filter=Q(holds_until__lte=days[1])),
        c=Count("pk"),
    )
    return counts["a"], counts["b"], counts["c"]
