"""The skills of one person, as a page and the panel on the page of the person show them."""

from collections.abc import Mapping
from datetime import date

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff
from training.competencies.forms import AssessForm, SelfForm
from training.competencies.queries import competencies, may_for, rows_of


def skills_of(principal: Principal, staff: Staff, *, on: date) -> dict[str, object]:
    """Return what is shown of a person's skills, and the form that fits who asks."""
    (row,) = rows_of([staff], competencies(), on=on)
    return {
        "staff": staff,
        "row": row,
        "is_self": principal.staff_id == staff.pk,
        "skill_form": form_for(principal, staff, on=on),
    }


def form_for(
    principal: Principal, staff: Staff, *, on: date, data: Mapping[str, object] | None = None
) -> SelfForm | None:
    """Return the form for oneself, or for who may assess this person; None for others."""
    if principal.staff_id == staff.pk:
        return SelfForm(data)
    if may_for(principal, Permission.PLAN_TRAINING, staff.pk, on=on):
        return AssessForm(data, initial={"on": on})
    return None
