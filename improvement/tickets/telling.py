"""Who is told what of tickets, and why: proposals in digests, moves and comments one by one.

Nobody is told of what they did themselves, and nobody twice of one thing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from improvement.tickets.models import INTAKE, Comment, State, Step, Ticket
from improvement.tickets.queries import ANNOUNCED, Part, asked_about, not_announced, title_of
from sqcore.base.text import TranslatedText, in_all_languages, in_language
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.notices.services import notify

GROUP_WAIT = timedelta(minutes=2)
"""A pass over the charts makes its proposals one after the other; so long after the last one they
are told of together."""
LONGEST_WAIT = timedelta(minutes=30)
NAMED = 5
"""How many proposals a digest names."""

REASONS = {
    "owner": _("You own this ticket."),
    "proposer": _("You proposed this ticket."),
    "watcher": _("You watch this ticket."),
}


@dataclass
class _Digest:
    """What one person is told of at once."""

    reader: User
    tickets: list[Ticket] = field(default_factory=list)
    parts: set[Part] = field(default_factory=set)


@transaction.atomic
def announce(*, now: datetime) -> int:
    """Tell people of the proposals that wait for them, one notice a reader; return how many.

    Proposals over somebody's budget, and those below a parent, are not told of. What was told
    stands in the history of the ticket, with the reason.
    """
    waiting = list(not_announced().select_for_update(no_key=True, of=("self",)))
    if not waiting or _are_more_to_come(waiting, now=now):
        return 0
    digests: dict[int, _Digest] = {}
    for ticket in waiting:
        part, people = asked_about(ticket.unit_id, ticket.code, now=now)
        for reader in people:
            if reader.pk != ticket.proposed_by_id:
                digest = digests.setdefault(reader.pk, _Digest(reader))
                digest.tickets.append(ticket)
                digest.parts.add(part)
        last = Step.objects.create(
            ticket=ticket,
            action=ANNOUNCED,
            former=ticket.state,
            state=ticket.state,
            note=part.value,
            at=now,
        )
    return sum(_send(digest, f"ticket-proposals:{last.pk}", now=now) for digest in digests.values())


def _are_more_to_come(waiting: Sequence[Ticket], *, now: datetime) -> bool:
    times = [ticket.proposed_at for ticket in waiting]
    return now - max(times) < GROUP_WAIT and now - min(times) < LONGEST_WAIT


def _send(digest: _Digest, key: str, *, now: datetime) -> int:
    count = len(digest.tickets)
    title = ngettext_lazy(
        "%(count)s proposal for improvement waits for you",
        "%(count)s proposals for improvement wait for you",
        count,
    )
    return notify(
        readers=[digest.reader],
        key=key,
        title=in_all_languages(title, count=str(count)),
        body=_names_of(digest.tickets),
        reason=_lines([in_all_languages(part.label) for part in Part if part in digest.parts]),
        link=reverse("improvement:intake"),
        permission=Permission.VIEW_TICKETS,
        now=now,
    )


def _names_of(tickets: Sequence[Ticket]) -> TranslatedText:
    named = [_name_of(ticket) for ticket in tickets[:NAMED]]
    if (more := len(tickets) - NAMED) > 0:
        text = ngettext_lazy("and %(count)s more", "and %(count)s more", more)
        named.append(in_all_languages(text, count=str(more)))
    return _lines(named)


def _name_of(ticket: Ticket) -> TranslatedText:
    title = title_of(ticket)
    return {
        language: f"{ticket.reference} {in_language(title, language)}"
        for language, _name in settings.LANGUAGES
    }


def _lines(texts: Sequence[TranslatedText]) -> TranslatedText:
    return {
        language: "\n".join(in_language(text, language) for text in texts)
        for language, _name in settings.LANGUAGES
    }


# ---- Moves and comments --------------------------------------------------------------------------
def tell_of_step(*, step_id: int, now: datetime) -> int:
    """Tell who proposed a ticket and who watches it what became of it in the intake.

    New proposals are told of in digests; what happens from acceptance on, the room `cycle` tells.
    """
    found = Step.objects.select_related("ticket__unit", "ticket__proposed_by")
    step = found.filter(pk=step_id).first()
    if step is None or not step.former or step.state not in _TOLD_HERE:
        return 0
    ticket = step.ticket
    return _tell(
        ticket,
        key=f"ticket-step:{step.pk}",
        title=in_all_languages(
            _("%(ticket)s is now in the state “%(state)s”"),
            ticket=ticket.reference,
            state=State(step.state).label,
        ),
        body=_name_of(ticket),
        but=step.by_id,
        has_owner=False,
        now=now,
    )


_TOLD_HERE = (State.PROPOSED, State.SNOOZED, State.WITHDRAWN)


def tell_of_comment(comment: Comment, *, now: datetime) -> int:
    """Tell the owner, who proposed it and who watches of a comment."""
    ticket = comment.ticket
    return _tell(
        ticket,
        key=f"ticket-comment:{comment.pk}",
        title=in_all_languages(_("New comment on %(ticket)s"), ticket=ticket.reference),
        body=_name_of(ticket),
        but=comment.by_id,
        has_owner=ticket.state not in INTAKE,
        now=now,
    )


def _tell(
    ticket: Ticket,
    *,
    key: str,
    title: TranslatedText,
    body: TranslatedText,
    but: int | None,
    has_owner: bool,
    now: datetime,
) -> int:
    """Tell each once; who has two parts in a ticket is told for the first of them."""
    parts: dict[str, Iterable[User | None]] = {
        "owner": [ticket.owner] if has_owner else [],
        "proposer": [ticket.proposed_by],
        "watcher": User.objects.filter(pk__in=ticket.watchers.values("user_id")).order_by("pk"),
    }
    told = 0
    for part, people in parts.items():
        told += notify(
            readers=[user for user in people if user and user.is_active and user.pk != but],
            key=key,
            title=title,
            body=body,
            reason=in_all_languages(REASONS[part]),
            link=reverse("improvement:ticket", args=[ticket.pk]),
            permission=Permission.VIEW_TICKETS,
            unit_id=ticket.unit_id,
            now=now,
        )
    return told
