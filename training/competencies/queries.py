"""Reading skills: what posts need, what people were seen to have, and what lies between.

The level held is the newest that counts: not withdrawn, not over, not said of oneself. A course or
certificate shows its level at the least, so one below what is held takes nothing away.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.core.paginator import Page, Paginator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.errors import NotFound
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Post, Staff, Unit, during
from sqcore.org.queries import tree_on
from training.competencies.models import Competency, Evidence, Level, RequiredLevel

PEOPLE_A_PAGE = 25
EXPIRES_SOON = timedelta(days=60)
AT_LEAST = (Evidence.Kind.COURSE, Evidence.Kind.CERTIFICATE)
"""Evidence that shows a level at the least and never takes one away."""

Key = tuple[int, int]
"""A staff member and a competency, by their ids."""


@dataclass(frozen=True)
class Standing:
    """What somebody was seen to have of a competency. `level` is None when all of it is over."""

    level: int | None
    on: date
    kind: str
    expires_on: date | None
    evidence_id: int


@dataclass(frozen=True)
class Gap:
    """A post needs more than was shown; `held` is None when nothing was shown (any more), `seen_on`
    when nothing ever was."""

    required: int
    held: int | None
    seen_on: date | None

    @property
    def missing(self) -> int:
        return self.required - (self.held or 0)


# What is held ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """What people were seen to have, and what they last said of themselves, which never counts."""

    standings: dict[Key, Standing]
    said: dict[Key, int]


def shown_by(staff_ids: Collection[int], *, on: date) -> Shown:
    """Return what is known of the skills of these people on this day. One query."""
    rows = (
        Evidence.objects.filter(staff_id__in=staff_ids, on__lte=on, withdrawn_at__isnull=True)
        .order_by("on", "id")
        .values_list("staff_id", "competency_id", "level", "on", "kind", "expires_on", "id")
    )
    found = Shown({}, {})
    for staff_id, competency_id, level, seen_on, kind, expires_on, pk in rows:
        key = (staff_id, competency_id)
        if kind == Evidence.Kind.SELF:
            found.said[key] = level
            continue
        is_over = expires_on is not None and expires_on <= on
        seen = Standing(None if is_over else level, seen_on, kind, expires_on, pk)
        found.standings[key] = _newer(found.standings.get(key), seen)
    return found


def standings_of(staff_ids: Collection[int], *, on: date) -> dict[Key, Standing]:
    """Return what these people were seen to have on this day. One query."""
    return shown_by(staff_ids, on=on).standings


def _newer(held: Standing | None, seen: Standing) -> Standing:
    """Return which of the two counts, the second being the newer one."""
    if held is None or held.level is None:
        return seen
    if seen.level is None or (seen.kind in AT_LEAST and seen.level < held.level):
        return held
    return seen


def held_levels(staff_ids: Collection[int], *, on: date) -> dict[Key, int]:
    """Return the levels that these people hold on this day. One query."""
    found = standings_of(staff_ids, on=on)
    return {key: each.level for key, each in found.items() if each.level is not None}


def own_words(staff_ids: Collection[int], *, on: date) -> dict[Key, int]:
    """Return what these people last said of themselves. It never counts. One query."""
    return shown_by(staff_ids, on=on).said


# What is required --------------------------------------------------------------------------------


def required_by_post(*, on: date) -> dict[int, dict[int, int]]:
    """Return the required levels of each post on this day, by competency. One query."""
    rows = RequiredLevel.objects.filter(during(on), competency__is_active=True)
    found: dict[int, dict[int, int]] = {}
    for post_id, competency_id, level in rows.order_by("id").values_list(
        "post_id", "competency_id", "level"
    ):
        found.setdefault(post_id, {})[competency_id] = level
    return found


def levels_by_post_code(*, on: date) -> dict[int, dict[str, int]]:
    """Return the levels needed on this day by competency, then by the code of the post."""
    found: dict[int, dict[str, int]] = {}
    rows = RequiredLevel.objects.filter(during(on)).order_by("post__code")
    for competency_id, post, level in rows.values_list("competency_id", "post__code", "level"):
        found.setdefault(competency_id, {})[post] = level
    return found


def required_of(staff_ids: Collection[int], *, on: date) -> dict[Key, int]:
    """Return what the posts of these people need on this day; of several posts the most. Two
    queries."""
    return _required(_assignments(staff_ids, on=on), on=on)


def _assignments(staff_ids: Collection[int], *, on: date) -> QuerySet[Assignment]:
    """Return where these people work on this day, the one they had first at the end."""
    return Assignment.objects.filter(during(on), staff_id__in=staff_ids).order_by(
        "-valid_from", "-id"
    )


def _required(assignments: Iterable[Assignment], *, on: date) -> dict[Key, int]:
    by_post = required_by_post(on=on)
    found: dict[Key, int] = {}
    for row in assignments:
        for competency_id, level in by_post.get(row.post_id, {}).items():
            key = (row.staff_id, competency_id)
            found[key] = max(level, found.get(key, 0))
    return found


def gaps_of(staff_ids: Collection[int], *, on: date) -> dict[Key, Gap]:
    """Return where the posts of these people need more than was shown. Three queries."""
    standings = standings_of(staff_ids, on=on)
    gaps = {}
    for key, required in required_of(staff_ids, on=on).items():
        shown = standings.get(key)
        gap = Gap(required, shown.level if shown else None, shown.on if shown else None)
        if gap.missing > 0:
            gaps[key] = gap
    return gaps


def required_levels(*, on: date) -> QuerySet[RequiredLevel]:
    """Return what posts need on this day and later."""
    coming = Q(valid_to__isnull=True) | Q(valid_to__gt=on)
    rows = RequiredLevel.objects.filter(coming).select_related("post", "competency")
    return rows.order_by("post__code", "competency__position", "competency__code", "valid_from")


# The skill matrix --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """What one person has of one competency, and what the post needs."""

    competency: Competency
    required: int | None
    standing: Standing | None
    said: int | None
    ends_soon: bool

    @property
    def held(self) -> int | None:
        return self.standing.level if self.standing else None

    @property
    def missing(self) -> int:
        """How many levels the post needs beyond what is held; 0 when none, or nothing is needed."""
        return max(0, (self.required or 0) - (self.held or 0))

    @property
    def tone(self) -> str:
        """The colour of the cell; never without `word` beside it."""
        if self.required is None:
            return ""
        if self.standing is None:
            return "unknown"
        return ("good", "watch")[self.missing] if self.missing < 2 else "bad"

    @property
    def numbers(self) -> str:
        held = "–" if self.held is None else str(self.held)
        if self.required is None:
            return held
        return _("%(held)s of %(required)s") % {"held": held, "required": self.required}

    @property
    def word(self) -> str:
        """What the cell says in words."""
        if self.standing is None:
            return _("not assessed") if self.required else ""
        if self.held is None:
            return _("over")
        if self.required is None:
            return _("not required")
        if self.missing:
            return ngettext("%(n)d missing", "%(n)d missing", self.missing) % {"n": self.missing}
        return _("reached")

    @property
    def kind_name(self) -> str:
        return str(Evidence.Kind(self.standing.kind).label) if self.standing else ""

    @property
    def held_name(self) -> str:
        return level_name(self.held)

    @property
    def required_name(self) -> str:
        return level_name(self.required)

    @property
    def said_name(self) -> str:
        return level_name(self.said)


@dataclass(frozen=True)
class PersonRow:
    staff: Staff
    unit: Unit | None
    post: Post | None
    cells: list[Cell]


@dataclass(frozen=True)
class SkillMatrix:
    """One page of people by competencies."""

    competencies: list[Competency]
    page: Page[Staff]
    rows: list[PersonRow]


def competencies() -> list[Competency]:
    """Return the competencies in use, in their order."""
    return list(Competency.objects.filter(is_active=True).order_by("position", "code"))


def competency_named(code: str) -> Competency:
    """raises: NotFound"""
    found = Competency.objects.filter(code=code).first()
    if found is None:
        raise NotFound(f"There is no competency “{code}”.")
    return found


def people_at_work(
    principal: Principal, *, unit: Unit | None = None, post: Post | None = None, on: date
) -> QuerySet[Staff]:
    """Return who works on this day where the asker may see the training of people, by name; of a
    unit with all below it."""
    scope = principal.scope(Permission.VIEW_TRAINING)
    if not scope:
        return Staff.objects.none()
    works = Assignment.objects.filter(during(on), staff=OuterRef("pk"))
    if not scope.everywhere:
        works = works.filter(unit__in=scope.units)
    if unit is not None:
        works = works.filter(unit__in=tree_on(on).within([unit.pk]))
    if post is not None:
        works = works.filter(post=post)
    return Staff.objects.filter(Exists(works)).order_by("name", "id")


def skill_matrix(
    principal: Principal,
    *,
    unit: Unit | None = None,
    post: Post | None = None,
    on: date,
    page: object = 1,
) -> SkillMatrix:
    """Return one page of the skill matrix. Six queries, seven of a unit, whatever the size."""
    people = Paginator(people_at_work(principal, unit=unit, post=post, on=on), PEOPLE_A_PAGE)
    shown = people.get_page(page)  # type: ignore[arg-type]  # whatever the address says
    frame = competencies()
    return SkillMatrix(frame, shown, rows_of(list(shown), frame, on=on))


def rows_of(people: Sequence[Staff], frame: Sequence[Competency], *, on: date) -> list[PersonRow]:
    """Return the skills of these people, one row each. Three queries."""
    ids = [each.pk for each in people]
    works = list(_assignments(ids, on=on).select_related("unit", "post"))
    places = {row.staff_id: row for row in works}
    shown, required = shown_by(ids, on=on), _required(works, on=on)
    rows = []
    for person in people:
        cells = [
            _cell(competency, (person.pk, competency.pk), shown, required, on)
            for competency in frame
        ]
        at = places.get(person.pk)
        rows.append(PersonRow(person, at.unit if at else None, at.post if at else None, cells))
    return rows


def _cell(
    competency: Competency, key: Key, shown: Shown, required: dict[Key, int], on: date
) -> Cell:
    standing = shown.standings.get(key)
    ends = standing.expires_on if standing and standing.level is not None else None
    return Cell(
        competency,
        required.get(key),
        standing,
        shown.said.get(key),
        ends_soon=ends is not None and ends <= on + EXPIRES_SOON,
    )


# One person --------------------------------------------------------------------------------------


def person_seen_by(principal: Principal, number: str, *, on: date) -> Staff:
    """Return oneself, or somebody whose training one may see. raises: NotFound"""
    found = Staff.objects.filter(number=number).first()
    if found is not None and sees_training_of(principal, found.pk, on=on):
        return found
    raise NotFound("There is no such person, or you may not know of them.")


def sees_training_of(principal: Principal, staff_id: int, *, on: date) -> bool:
    return principal.staff_id == staff_id or may_for(
        principal, Permission.VIEW_TRAINING, staff_id, on=on
    )


def may_for(principal: Principal, permission: Permission, staff_id: int, *, on: date) -> bool:
    """True when the permission holds where this person works on this day."""
    scope = principal.scope(permission)
    if scope.everywhere or not scope:
        return bool(scope)
    works = Assignment.objects.filter(during(on), staff_id=staff_id, unit__in=scope.units)
    return works.exists()


def evidence_of(staff_id: int) -> list[Evidence]:
    """Return all evidence about a person, the newest first, withdrawn ones too. One query."""
    rows = Evidence.objects.filter(staff_id=staff_id)
    return list(rows.select_related("competency", "recorded_by").order_by("-on", "-id"))


def evidence_seen_by(principal: Principal, *, on: date) -> QuerySet[Evidence]:
    """Return the evidence that counts and that this asker may see."""
    rows = Evidence.objects.visible_to(principal, on=on).counted()
    return rows.select_related("staff", "competency")


def level_name(level: int | None) -> str:
    return str(Level(level).label) if level is not None else ""
