"""What a list can be asked for: what its FilterSet declares, and nothing else."""

from collections.abc import Sequence
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.forms import Field
from django.http import QueryDict
from django.utils.translation import gettext as _
from django_filters import Filter, FilterSet

from sqcore.base.errors import DomainError, InvalidInput, Problem

PAGE_PARAMETERS = ("cursor", "page_size")


class Conditions(Filter):
    """A filter of which one value stands for several conditions."""

    def conditions(self, value: Any) -> dict[str, Any]:
        raise NotImplementedError


def conditions_of(
    filterset: type[FilterSet] | None, params: QueryDict, *, also: Sequence[str] = PAGE_PARAMETERS
) -> dict[str, Any]:
    """Return the look-ups that the parameters ask for, by the filter set's declarations.

    Reads the declared filters and their fields without building the filter set and its form, which
    cost more than the query. Nothing passes that is not declared.

    raises: InvalidInput naming each parameter that is unknown, repeated or not a possible value
    """
    declared = filterset.base_filters if filterset else {}
    found: dict[str, Any] = {}
    problems = []
    for name, values in params.lists():
        if name in also:
            continue
        if name not in declared:
            known = ", ".join(sorted([*declared, *also])) or "none"
            problems.append(
                Problem(
                    _("is not a parameter here; there are: %(known)s") % {"known": known},
                    field=name[:60],
                )
            )
        elif len(values) > 1:
            problems.append(Problem(_("is given more than once"), field=name))
        elif values[0] == "":
            problems.append(Problem(_("is empty; leave it out or give a value"), field=name))
        else:
            try:
                conditions = _condition(declared[name], values[0])
                if any(found.get(key, value) != value for key, value in conditions.items()):
                    problems.append(Problem(_("contradicts another parameter"), field=name))
                found.update(conditions)
            except ValidationError as error:
                problems.append(Problem(" ".join(error.messages), field=name))
            except DomainError as error:
                problems.append(Problem(error.message, field=name))
    if problems:
        raise InvalidInput(_("Some parameters cannot be used."), problems=problems)
    return found


def _condition(declared: Filter, value: str) -> dict[str, Any]:
    cleaned = cast(Field, declared.field).clean(value)
    if isinstance(declared, Conditions):
        return declared.conditions(cleaned)
    if declared.lookup_expr == "exact":
        return {declared.field_name: cleaned}
    return {f"{declared.field_name}__{declared.lookup_expr}": cleaned}
