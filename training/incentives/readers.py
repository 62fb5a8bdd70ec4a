"""Who reads which pages of incentives, and to whom what is left of a budget is told."""

from django.utils.translation import gettext as _

from sqcore.base.errors import NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from training.incentives.models import Scheme
from training.incentives.queries import BudgetLeft
from training.incentives.wording import money


def sees_incentives(principal: Principal) -> bool:
    return principal.staff_id is not None or principal.may(Permission.VIEW_AWARDS)


def writes_schemes(principal: Principal) -> bool:
    return principal.scope(Permission.MANAGE_AWARDS).everywhere


def sees_awards_of_all(principal: Principal) -> bool:
    return principal.scope(Permission.VIEW_AWARDS).everywhere


def decides_on_awards(principal: Principal) -> bool:
    return principal.may(Permission.REVIEW_AWARDS) or principal.may(Permission.APPROVE_AWARDS)


def require_reader(principal: Principal) -> None:
    if not sees_incentives(principal):
        raise NotPermitted(_("The rules are for who works here."))


def budget_text(budget: BudgetLeft, scheme: Scheme, principal: Principal) -> tuple[str, str]:
    """Return the whole budget, and what is left of it to who sees the awards of all: to others
    two readings around one approval would tell what somebody elsewhere was granted."""
    left = budget.left if sees_awards_of_all(principal) else None
    return (
        "" if budget.budget is None else money(budget.budget, scheme.currency),
        "" if left is None else money(left, scheme.currency),
    )
