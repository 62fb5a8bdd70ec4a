"""The wall of words of thanks, who is asked about theirs, and whom one can thank."""

from dataclasses import dataclass
from datetime import date

from django.core.paginator import Page, Paginator

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Post, Staff, Unit
from training.incentives.award_pages import LISTED
from training.incentives.models import Recognition
from training.incentives.queries import colleagues_named, recognitions_asked, wall
from training.incentives.readers import require_reader

MOST_FOUND = 20


@dataclass(frozen=True)
class WallCard:
    words: Recognition
    may_take_down: bool


@dataclass(frozen=True)
class WallPage:
    page: Page[Recognition]
    cards: list[WallCard]
    asked: list[Recognition]
    written: list[Recognition]
    may_write: bool


def wall_page(*, principal: Principal, page: str) -> WallPage:
    """raises: NotPermitted for who neither works here nor sees awards"""
    require_reader(principal)
    shown = Paginator(wall(principal).select_related("staff", "unit", "written_by"), 24)
    found = shown.get_page(page)
    waiting = Recognition.objects.visible_to(principal).filter(
        state=Recognition.State.ASKED, written_by=principal.user
    )
    return WallPage(
        page=found,
        cards=[WallCard(each, takes_down(principal, each)) for each in found.object_list],
        asked=list(recognitions_asked(principal).select_related("unit", "written_by")[:20]),
        written=list(waiting.select_related("staff", "unit").order_by("-written_at", "-id")[:20]),
        may_write=principal.staff_id is not None,
    )


def takes_down(principal: Principal, words: Recognition) -> bool:
    is_own = words.staff_id == principal.staff_id or (
        principal.user is not None and words.written_by_id == principal.user.pk
    )
    return is_own or principal.may(Permission.MANAGE_AWARDS, unit_id=words.unit_id)


@dataclass(frozen=True)
class Colleague:
    staff: Staff
    unit: Unit
    post: Post


def colleagues(*, principal: Principal, said: str, on: date) -> list[Colleague]:
    """Return who is meant by a name or number, each once; nobody for a single letter."""
    words = said.strip()[:80]
    if len(words) < 2:
        return []
    found: dict[int, Colleague] = {}
    for place in colleagues_named(principal, words, on=on)[: 2 * MOST_FOUND]:
        found.setdefault(place.staff_id, Colleague(place.staff, place.unit, place.post))
    return list(found.values())[:MOST_FOUND]


def colleague_of(*, principal: Principal, number: str, on: date) -> Colleague | None:
    """Return the colleague with exactly this number who works here on a day."""
    places = colleagues_named(principal, number, on=on).filter(staff__number=number)
    place = places.first() if number else None
    return Colleague(place.staff, place.unit, place.post) if place else None


def words_for(*, principal: Principal, staff: Staff) -> tuple[list[Recognition], int]:
    """Return the newest words of thanks on the wall for a person, and how many wait for their
    own consent."""
    shown = wall(principal).filter(staff=staff).select_related("written_by")
    waiting = recognitions_asked(principal).count() if staff.pk == principal.staff_id else 0
    return list(shown[:LISTED]), waiting
