"""Putting a questionnaire to people: campaigns and the links that lead to them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.periods import Grain
from sqcore.base.text import in_language
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.starters import starter_system
from sqcore.org.models import Channel, Unit
from surveys.campaigns.models import Campaign, Link
from surveys.instruments.models import InstrumentVersion
from surveys.instruments.queries import is_judged, starter_measures

MOST_LINKS = 20_000
FURTHEST = timedelta(days=3660)
GRAINS = (Grain.MONTH, Grain.QUARTER, Grain.YEAR)
"""How often the answers to a questionnaire are judged that nothing judged before."""


@transaction.atomic
def create_campaign(
    *,
    name: Mapping[str, str],
    version: InstrumentVersion,
    mode: Campaign.Mode,
    opens_on: date,
    by: Principal,
    now: datetime,
    closes_on: date | None = None,
    code: str = "",
    finest_grain: Grain = Grain.DAY,
) -> Campaign:
    """Add a campaign, a draft. Without a code one is made from the name.

    `closes_on` is the first day on which it takes no more answers.
    raises: InvalidInput for a version that is not published or dates that make no sense, Conflict
    when the code is taken
    """
    by.require(Permission.MANAGE_SURVEYS)
    if version.published_at is None:
        raise InvalidInput(_("The questionnaire is a draft; publish it first."))
    _check_dates(opens_on, closes_on)
    campaign = Campaign(
        code=code or _free_code(in_language(name, "en"), opens_on),
        name=dict(name),
        version=version,
        mode=mode,
        opens_on=opens_on,
        closes_on=closes_on,
        finest_grain=finest_grain,
        created_at=now,
    )
    _save_new(campaign)
    record(
        action="campaign.created",
        subject=f"campaign:{campaign.pk}",
        by=by,
        now=now,
        details={"code": campaign.code, "mode": campaign.mode},
    )
    return campaign


@transaction.atomic
def start_campaign(
    *,
    name: Mapping[str, str],
    version: InstrumentVersion,
    mode: Campaign.Mode,
    opens_on: date,
    closes_on: date | None,
    units: Sequence[Unit],
    channels: Sequence[Channel],
    open_now: bool,
    by: Principal,
    now: datetime,
    judge: bool = False,
) -> Campaign:
    """Add a campaign with its links, and open it if wanted: all of it or nothing.

    `judge` publishes an indicator system over the questionnaire, unless something judges it or it
    asks for no judgement of a service.
    """
    campaign = create_campaign(
        name=name,
        version=version,
        mode=mode,
        opens_on=opens_on,
        closes_on=closes_on,
        by=by,
        now=now,
    )
    if units:
        make_links(campaign=campaign, units=units, channels=channels, by=by, now=now)
    if open_now:
        open_campaign(campaign=campaign, by=by, now=now)
    measures = starter_measures(version) if judge else []
    if measures and not is_judged(version.instrument.code):
        by.require(Permission.MANAGE_INDICATORS)
        starter_system(
            code=version.instrument.code,
            name=version.instrument.name,
            measures=measures,
            grains=GRAINS,
            since=opens_on,
            by=by,
            now=now,
        )
    return campaign


@transaction.atomic
def open_campaign(*, campaign: Campaign, by: Principal, now: datetime) -> None:
    """Let answers in, from its first day on; a closed one can be opened again. Locks it.

    Opening an open one changes nothing.
    """
    by.require(Permission.MANAGE_SURVEYS)
    _set_state(campaign, Campaign.State.OPEN, action="campaign.opened", by=by, now=now)


@transaction.atomic
def close_campaign(*, campaign: Campaign, by: Principal, now: datetime) -> None:
    """Take no more answers. Locks it; closing a closed one changes nothing."""
    by.require(Permission.MANAGE_SURVEYS)
    _set_state(campaign, Campaign.State.CLOSED, action="campaign.closed", by=by, now=now)


@transaction.atomic
def change_mode(*, campaign: Campaign, mode: Campaign.Mode, by: Principal, now: datetime) -> None:
    """Promise another privacy. Locks the campaign.

    raises: Conflict once there is an answer, which was given under the promise made then
    """
    by.require(Permission.MANAGE_SURVEYS)
    _let_answers_settle()
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if locked.mode == mode:
        return
    if locked.responses.exists():
        raise Conflict(
            _(
                "There are answers already, given under the privacy that the form promised. "
                "Start a new campaign to ask under another one."
            )
        )
    if mode == Campaign.Mode.IDENTIFIED and locked.links.filter(revoked_at=None).exists():
        raise Conflict(_(NO_PUBLIC_LINKS))
    campaign.mode = locked.mode = mode
    locked.save(update_fields=["mode"])
    record(
        action="campaign.mode_changed",
        subject=f"campaign:{campaign.pk}",
        by=by,
        now=now,
        details={"mode": mode.value},
    )


@transaction.atomic
def change_dates(
    *, campaign: Campaign, opens_on: date, closes_on: date | None, by: Principal, now: datetime
) -> None:
    """Move the first and the last day. Locks the campaign."""
    by.require(Permission.MANAGE_SURVEYS)
    _check_dates(opens_on, closes_on)
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    campaign.opens_on = locked.opens_on = opens_on
    campaign.closes_on = locked.closes_on = closes_on
    locked.save(update_fields=["opens_on", "closes_on"])
    record(
        action="campaign.dates_changed",
        subject=f"campaign:{campaign.pk}",
        by=by,
        now=now,
        details={"opens_on": str(opens_on), "closes_on": str(closes_on or "")},
    )


@transaction.atomic
def make_links(
    *,
    campaign: Campaign,
    units: Sequence[Unit],
    by: Principal,
    now: datetime,
    channels: Sequence[Channel | None] = (),
) -> list[Link]:
    """Return a link for every unit and channel; those that there are already stay as they are.

    Without channels, or for a channel of None, the link is for the unit whatever the channel.
    Locks the campaign.
    raises: Conflict for a campaign with names, whose answers no public link can bring
    """
    by.require(Permission.MANAGE_SURVEYS)
    channels = channels or (None,)
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if locked.mode == Campaign.Mode.IDENTIFIED:
        raise Conflict(_(NO_PUBLIC_LINKS))
    if len(units) * len(channels) > MOST_LINKS:
        raise InvalidInput(_("Make at most %(most)d links at once.") % {"most": MOST_LINKS})
    there = {
        (link.unit_id, link.channel_id): link
        for link in locked.links.filter(revoked_at=None, segment=None, staff=None)
    }
    wanted = [(unit.pk, channel.pk if channel else None) for unit in units for channel in channels]
    added = [
        Link(campaign=locked, unit_id=unit_id, channel_id=channel_id, created_at=now)
        for unit_id, channel_id in dict.fromkeys(wanted)
        if (unit_id, channel_id) not in there
    ]
    Link.objects.bulk_create(added, batch_size=500)
    if added:
        record(
            action="campaign.links_made",
            subject=f"campaign:{campaign.pk}",
            by=by,
            now=now,
            details={"links": len(added)},
        )
    there |= {(link.unit_id, link.channel_id): link for link in added}
    return [there[place] for place in dict.fromkeys(wanted)]


@transaction.atomic
def revoke_link(*, link: Link, by: Principal, now: datetime) -> None:
    """Take a link out of use for good, say because its poster was lost; twice changes nothing."""
    by.require(Permission.MANAGE_SURVEYS)
    if Link.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=now):
        record(
            action="campaign.link_revoked",
            subject=f"campaign:{link.campaign_id}",
            by=by,
            now=now,
            details={"link": link.pk, "unit": link.unit_id},
        )
        link.revoked_at = now


NO_PUBLIC_LINKS = gettext_noop(
    "A public link does not know who answers. Answers with names come in by REST or from a file; "
    "choose “anonymous” or “confidential” to ask by links."
)


def _let_answers_settle() -> None:
    """Wait for answers that are being stored, and keep new ones waiting until the commit.

    PostgreSQL looks at the campaign of a new answer only when that commits, so a lock on the
    campaign's row comes too late to keep an answer from a promise that it was not given under.
    """
    if connection.vendor == "postgresql":
        answers = connection.ops.quote_name(Campaign.responses.rel.related_model._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {answers} IN SHARE ROW EXCLUSIVE MODE")


def _set_state(
    campaign: Campaign, state: Campaign.State, *, action: str, by: Principal, now: datetime
) -> None:
    changed = Campaign.objects.filter(pk=campaign.pk).exclude(state=state).update(state=state)
    campaign.state = state
    if changed:
        record(action=action, subject=f"campaign:{campaign.pk}", by=by, now=now)


def _check_dates(opens_on: date, closes_on: date | None) -> None:
    if not 2000 <= opens_on.year <= 2200:
        raise InvalidInput(
            _("The first day cannot be right."),
            problems=[Problem("is out of reach", field="opens_on")],
        )
    if closes_on is not None and not opens_on < closes_on <= opens_on + FURTHEST:
        raise InvalidInput(
            _("The last day must not be before the first, nor more than ten years after it."),
            problems=[Problem("is not within ten years from the first day", field="closes_on")],
        )


def _save_new(campaign: Campaign) -> None:
    try:
        campaign.clean_fields()
    except ValidationError as error:
        problems = [
            Problem(" ".join(reasons), field=name) for name, reasons in error.message_dict.items()
        ]
        raise InvalidInput(
            _("The campaign cannot be made like this."), problems=problems
        ) from error
    try:
        with transaction.atomic():
            campaign.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(
            _("There is a campaign “%(code)s” already.") % {"code": campaign.code}
        ) from error


def _free_code(name: str, opens_on: date) -> str:
    """Return a code that reads like the name and that no campaign has."""
    stem = slugify(name)[:45].strip("-") or f"survey-{opens_on:%Y-%m}"
    taken = set(Campaign.objects.filter(code__startswith=stem).values_list("code", flat=True))
    number = 1
    while (code := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return code
