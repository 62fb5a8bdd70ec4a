"""What is done with results of people: each is told that theirs are there, whoever looks at them
is remembered, and the rules are written anew.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.audit.services import record
from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.text import in_all_languages
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator
from sqcore.notices.services import notify
from sqcore.org.queries import local_day
from sqcore.performance.models import Look, ResultsPolicy, ResultsRun

AT_ONCE = 500


def tell_people(*, run_id: int, now: datetime) -> int:
    """Tell each person who has results and logs in that they are there: once a window, no figures.

    Returns how many were told.
    """
    run = ResultsRun.objects.filter(pk=run_id).first()
    if run is None:
        return 0
    readers = User.objects.filter(
        pk__in=run.results.filter(raw__isnull=False, staff__user__isnull=False).values(
            "staff__user"
        ),
        is_active=True,
    ).order_by("pk")
    told = 0
    people = list(readers)
    for at in range(0, len(people), AT_ONCE):
        told += notify(
            readers=people[at : at + AT_ONCE],
            key=f"people-results:{run.ends_on.isoformat()}",
            title=in_all_languages(lazy("Your results are there")),
            body=in_all_languages(
                lazy("What customers said about you until %(until)s, and how it is computed."),
                until=run.ends_on - timedelta(days=1),
            ),
            reason=in_all_languages(lazy("They are about you.")),
            link=reverse("sqcore:performance-me"),
            now=now,
        )
    return told


@transaction.atomic
def note_look(*, staff_ids: Iterable[int], way: str, by: Principal, now: datetime) -> None:
    """Remember that somebody looked at the results of others: one row a viewer, way and day.

    Nothing for looking at oneself.
    """
    seen = sorted(set(staff_ids) - {by.staff_id})
    on = local_day(now)
    for at in range(0, len(seen), AT_ONCE):
        part = seen[at : at + AT_ONCE]
        rows = Look.objects.filter(staff__in=part, viewer=by.key, way=way, on=on)
        known = set(rows.values_list("staff_id", flat=True))
        rows.update(times=F("times") + 1, last_at=now)
        Look.objects.bulk_create(
            [
                Look(
                    staff_id=staff, viewer=by.key, viewer_name=by.name, way=way, on=on,
                    first_at=now, last_at=now,
                )
                for staff in part
                if staff not in known
            ],
            ignore_conflicts=True,
        )  # fmt: skip


@transaction.atomic
def set_policy(
    *,
    valid_from: date,
    reason: str,
    by: Principal,
    now: datetime,
    **rules: Any,
) -> ResultsPolicy:
    """Write a new version of the rules; what is not named stays as it was.

    raises: NotPermitted; InvalidInput naming each rule that is too lax, or a day that is past or
    not after the last version's
    """
    by.require(Permission.DECIDE_DISPUTES)
    by.require(Permission.MANAGE_INDICATORS)
    names = {field.name for field in ResultsPolicy._meta.concrete_fields}
    changeable = names - {"id", "number", "valid_from", "reason", "made_by", "made_at"}
    if strange := sorted(set(rules) - changeable):
        raise InvalidInput(
            _("Some rules cannot be set."),
            problems=[Problem(_("is no rule"), name) for name in strange],
        )
    versions = ResultsPolicy.objects.select_for_update(of=("self",)).order_by("-number")
    last = versions.first()
    former = {name: getattr(last or ResultsPolicy(), name) for name in changeable}
    made = ResultsPolicy(
        **{**former, **rules},
        number=(last.number if last else 0) + 1,
        valid_from=valid_from,
        reason=reason.strip(),
        made_by=by.user,
        made_at=now,
    )
    _check_policy(made, last, now)
    made.save()
    record(
        action="people-results.policy", subject=f"policy:{made.number}", by=by, now=now,
        details={name: getattr(made, name) for name in sorted(rules)},
    )  # fmt: skip
    return made


def _check_policy(made: ResultsPolicy, last: ResultsPolicy | None, now: datetime) -> None:
    problems = []
    if not made.reason:
        problems.append(Problem(_("say why"), "reason"))
    if made.valid_from < local_day(now):
        problems.append(Problem(_("is in the past"), "valid_from"))
    elif last is not None and made.valid_from <= last.valid_from:
        problems.append(Problem(_("is not after the last version's"), "valid_from"))
    known = set(Indicator.objects.filter(code__in=made.freezing).values_list("code", flat=True))
    if missing := sorted(set(made.freezing) - known):
        problems.append(
            Problem(
                _("there is no indicator %(codes)s") % {"codes": ", ".join(missing)}, "freezing"
            )
        )
    try:
        made.full_clean(exclude=["made_by", "freezing"])
    except ValidationError as error:
        for field, messages in error.message_dict.items():
            problems += [Problem(message, field) for message in messages]
    if problems:
        raise InvalidInput(_("Some rules cannot be set."), problems=problems)
