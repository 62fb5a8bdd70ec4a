"""Words of thanks: written for somebody else, shown when that person agrees, taken down again."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.achievements.models import Kind
from sqcore.achievements.services import record_achievement, take_back
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.text import TranslatedText, in_all_languages
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.notices.services import notify
from sqcore.org.models import Assignment, Staff, during
from sqcore.org.queries import local_day
from training.incentives.guards import checked_text, note_act
from training.incentives.models import Recognition

LONGEST_WORDS = 600
LONGEST_CONSENT = 200


@transaction.atomic
def recognise(
    *,
    staff_id: int,
    text: str,
    source: str = Recognition.Source.COLLEAGUE,
    consent_of_customer: str = "",
    by: Principal,
    now: datetime,
) -> Recognition:
    """Write words of thanks for a colleague, one's own or a customer's; the person is asked.

    raises: NotPermitted for oneself and for who does not work here; NotFound; InvalidInput
    """
    if by.user is None or by.staff_id is None:
        raise NotPermitted(_("Who works here writes words of thanks."))
    if by.staff_id == staff_id:
        raise NotPermitted(_("Words of thanks are for somebody else."))
    said = checked_text(text, most=LONGEST_WORDS, name="text")
    consent = consent_of_customer.strip()
    if source not in Recognition.Source.values:
        reason = _("There is no such source.")
        raise InvalidInput(reason, problems=[Problem(reason, field="source")])
    if source == Recognition.Source.CUSTOMER:
        consent = checked_text(consent, most=LONGEST_CONSENT, name="consent_of_customer")
    works = Assignment.objects.filter(during(local_day(now)), staff_id=staff_id)
    place = works.select_related("staff__user").order_by("valid_from", "id").first()
    if place is None:
        raise NotFound(_("Nobody of this number works here."))
    found = Recognition.objects.create(
        staff_id=staff_id,
        unit_id=place.unit_id,
        source=source,
        text=said,
        consent_of_customer=consent if source == Recognition.Source.CUSTOMER else "",
        written_by=by.user,
        written_at=now,
    )
    note_act("recognition.written", f"recognition:{found.pk}", by, now, {"source": source})
    _ask_for_consent(found, place.staff, now)
    return found


def _ask_for_consent(found: Recognition, staff: Staff, now: datetime) -> None:
    if staff.user is None:
        return
    notify(
        readers=[staff.user],
        key=f"recognition:{found.pk}",
        title=in_all_languages(gettext_lazy("Somebody thanks you")),
        body=in_all_languages(
            gettext_lazy("Read the words, and say whether colleagues may see them.")
        ),
        reason=in_all_languages(gettext_lazy("Nothing is shown without your consent.")),
        now=now,
    )


@transaction.atomic
def answer_recognition(
    *, recognition_id: int, show: bool, by: Principal, now: datetime
) -> Recognition:
    """Say whether colleagues may see the words; only the person they are for is asked.

    raises: NotFound; NotPermitted; Conflict when it was answered
    """
    found = _locked_recognition(recognition_id, by)
    if by.staff_id != found.staff_id:
        raise NotPermitted(_("Only the person whom the words are for says so."))
    if found.state != Recognition.State.ASKED:
        raise Conflict(_("This was answered already."))
    found.state = Recognition.State.SHOWN if show else Recognition.State.DECLINED
    _answered(found, "recognition.answered", by, now)
    if show:
        record_achievement(
            staff_id=found.staff_id,
            kind=Kind.RECOGNITION,
            title=_title_of_words(found),
            on=local_day(now),
            reference=f"recognition:{found.pk}",
            now=now,
        )
    return found


@transaction.atomic
def take_down(*, recognition_id: int, by: Principal, now: datetime) -> Recognition:
    """Take words off the wall: the person, who wrote them, or HR.

    raises: NotFound; NotPermitted; Conflict when they are not shown
    """
    found = _locked_recognition(recognition_id, by)
    is_own = by.staff_id == found.staff_id or by.user == found.written_by
    if not is_own:
        by.require(Permission.MANAGE_AWARDS, unit_id=found.unit_id)
    if found.state not in (Recognition.State.SHOWN, Recognition.State.ASKED):
        raise Conflict(_("These words are not on the wall."))
    was_shown = found.state == Recognition.State.SHOWN
    found.state = Recognition.State.WITHDRAWN
    _answered(found, "recognition.taken_down", by, now)
    if was_shown:
        take_back(
            staff_id=found.staff_id,
            kind=Kind.RECOGNITION,
            title=_title_of_words(found),
            reference=f"recognition:{found.pk}",
            reason=_("The words were taken down."),
            now=now,
        )
    return found


def _locked_recognition(recognition_id: int, by: Principal) -> Recognition:
    found = (
        Recognition.objects.visible_to(by)
        .select_for_update(of=("self",))
        .filter(pk=recognition_id)
        .first()
    )
    if found is None:
        raise NotFound(_("There are no such words."))
    return found


def _answered(found: Recognition, action: str, by: Principal, now: datetime) -> None:
    found.answered_at = now
    found.save(update_fields=["state", "answered_at"])
    note_act(action, f"recognition:{found.pk}", by, now, {"state": str(found.state)})


def _title_of_words(found: Recognition) -> TranslatedText:
    if found.source == Recognition.Source.CUSTOMER:
        return in_all_languages(gettext_lazy("Words of thanks from a customer"))
    return in_all_languages(gettext_lazy("Words of thanks from a colleague"))
