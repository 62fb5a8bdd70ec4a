"""What an import stands on: the units, the questionnaire, the campaign; found, or made as the
mapping describes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.periods import Grain, Period
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import IndicatorSystem
from sqcore.indicators.starters import starter_system
from sqcore.org.models import Channel, Organisation, Placement, Segment, Unit
from sqcore.org.services import open_unit, set_up_organisation
from surveys.campaigns.models import Campaign
from surveys.campaigns.services import close_campaign, create_campaign
from surveys.imports.mapping import (
    PLACE_WORDS,
    CodeMap,
    ImportMapping,
    NewPlace,
    SystemMap,
)
from surveys.imports.reading import AnsweredItem, Draft, Fault
from surveys.instruments.definitions import Definition, read_definition
from surveys.instruments.models import InstrumentVersion, Item
from surveys.instruments.queries import starter_measures
from surveys.instruments.services import (
    MEANING,
    change_draft,
    create_instrument,
    draft_next_version,
    publish_version,
)


@dataclass
class Ground:
    """What is there, by code, and what taking the file in would make.

    `version` is the published one that the answers are read by; None when it is to be made.
    """

    items: Sequence[AnsweredItem]
    version: InstrumentVersion | None
    campaign: Campaign | None
    units: dict[str, int | None] = field(default_factory=dict)
    channels: dict[str, int | None] = field(default_factory=dict)
    segments: dict[str, int | None] = field(default_factory=dict)
    will_make: dict[str, list[str]] = field(default_factory=dict)

    def faults(self, draft: Draft, plan_names: Mapping[str, str]) -> list[Fault]:
        """Name each code of the draft that nobody knows."""
        found = []
        if draft.unit not in self.units:
            found.append(self._unknown(draft, "unit", draft.unit, plan_names))
        if draft.channel and draft.channel not in self.channels:
            found.append(self._unknown(draft, "channel", draft.channel, plan_names))
        if draft.segment and draft.segment not in self.segments:
            found.append(self._unknown(draft, "segment", draft.segment, plan_names))
        return found

    def _unknown(self, draft: Draft, what: str, code: str, names: Mapping[str, str]) -> Fault:
        return Fault(
            draft.row,
            names.get(what, what),
            code[:40],
            _("there is no such %(what)s") % {"what": PLACE_WORDS[what]},
        )


def survey(mapping: ImportMapping) -> Ground:
    """Look at what is there without changing anything.

    raises: InvalidInput when the questionnaire or the campaign does not fit
    """
    campaign = (
        Campaign.objects.select_related("version__instrument")
        .filter(code=mapping.campaign.code)
        .first()
    )
    version = _version_for(mapping, campaign)
    if campaign is not None and version is not None:
        _check_campaign(mapping, campaign, version)
    items: Sequence[AnsweredItem]
    if version is not None:
        items = list(version.items.order_by("position"))
    else:
        items = _definition(mapping).items
    ground = Ground(
        items=items,
        version=version,
        campaign=campaign,
        units=_by_code(Unit.objects.all()),
        channels=_by_code(Channel.objects.all()),
        segments=_by_code(Segment.objects.all()),
    )
    _note_new(ground, mapping)
    return ground


def _by_code(rows: "models.QuerySet[Any]") -> dict[str, int | None]:
    return dict(rows.values_list("code", "id"))


def _note_new(ground: Ground, mapping: ImportMapping) -> None:
    """Add what the mapping would make, and refuse codes that nothing stands for."""
    problems: list[Problem] = []
    for what, known, places, codes in (
        ("units", ground.units, mapping.units, mapping.unit),
        ("channels", ground.channels, mapping.channels, mapping.channel),
        ("segments", ground.segments, mapping.segments, mapping.segment),
    ):
        new = [place.code for place in places if place.code not in known]
        ground.will_make[what] = new
        known.update(dict.fromkeys(new))
        problems += _unknown_codes(what, codes, known)
    problems += [
        Problem(
            _("there is no unit “%(parent)s” for it to stand below") % {"parent": place.parent},
            field=place.code,
        )
        for place in mapping.units
        if place.parent and place.parent not in ground.units
    ]
    problems += _second_roots(mapping, ground.will_make["units"])
    if ground.campaign is None:
        ground.will_make["campaign"] = [mapping.campaign.code]
    if mapping.system and not IndicatorSystem.objects.filter(code=mapping.system.code).exists():
        ground.will_make["indicator system"] = [mapping.system.code]
    if ground.version is None:
        ground.will_make["questionnaire"] = [str(mapping.instrument["code"])]
    if problems:
        raise InvalidInput(_("The mapping names what is not there."), problems=problems[:50])


def _second_roots(mapping: ImportMapping, new: Sequence[str]) -> list[Problem]:
    """Refuse a new unit for the whole organisation where there is one, whatever its dates."""
    tops = [place.code for place in mapping.units if place.code in new and not place.parent]
    root = Placement.objects.filter(parent__isnull=True).select_related("unit").first()
    if root is not None:
        reason = _("the whole organisation is “%(unit)s” already; give this unit a parent") % {
            "unit": root.unit.code
        }
        return [Problem(reason, field=code) for code in tops]
    reason = _("only one unit can stand for the whole organisation; give this one a parent")
    return [Problem(reason, field=code) for code in tops[1:]]


def _unknown_codes(what: str, codes: CodeMap, known: Mapping[str, object]) -> list[Problem]:
    return [
        Problem(
            _("there is no “%(code)s”; add it under [[%(what)s]] or correct it")
            % {"code": code, "what": what},
            field=what[:-1],
        )
        for code in sorted(codes.codes)
        if code not in known
    ]


# ---- The questionnaire ---------------------------------------------------------------------------
def _definition(mapping: ImportMapping) -> Definition:
    return read_definition(mapping.instrument)


def _version_for(mapping: ImportMapping, campaign: Campaign | None) -> InstrumentVersion | None:
    """Return the published version that the answers fit; None when one is to be made."""
    code = str(mapping.instrument.get("code", ""))
    if campaign is not None:
        return campaign.version
    versions = InstrumentVersion.objects.published().filter(instrument__code=code)
    latest = versions.select_related("instrument").order_by("-number").first()
    if not mapping.defines_instrument:
        if latest is None:
            raise InvalidInput(
                _("There is no published questionnaire “%(code)s”.") % {"code": code},
                problems=[
                    Problem(
                        _("name one that is there, or describe it whole"), field="instrument.code"
                    )
                ],
            )
        return latest
    definition = _definition(mapping)
    if latest is None:
        return None
    there = {item.code: item for item in latest.items.all()}
    if problems := _different(definition, there):
        raise InvalidInput(
            _("The questionnaire “%(code)s” is there already and means something else.")
            % {"code": code},
            problems=problems,
        )
    return latest if all(item.code in there for item in definition.items) else None


def _different(definition: Definition, there: Mapping[str, Item]) -> list[Problem]:
    found = []
    for item in definition.items:
        before = there.get(item.code)
        changed = [
            name for name in MEANING if before and getattr(before, name) != getattr(item, name)
        ]
        if changed:
            found.append(
                Problem(_("%(parts)s differ") % {"parts": ", ".join(changed)}, field=item.code)
            )
    return found


def _check_campaign(mapping: ImportMapping, campaign: Campaign, version: InstrumentVersion) -> None:
    code = str(mapping.instrument.get("code", ""))
    if version.instrument.code != code:
        raise Conflict(
            _("The campaign “%(campaign)s” asks the questionnaire “%(asked)s”, not “%(code)s”.")
            % {"campaign": campaign.code, "asked": version.instrument.code, "code": code}
        )
    if campaign.finest_grain != finest_grain(mapping):
        raise Conflict(
            _(
                "The campaign “%(campaign)s” knows the day of an answer by the %(grain)s, "
                "the mapping by the %(other)s."
            )
            % {
                "campaign": campaign.code,
                "grain": Grain(campaign.finest_grain).label.lower(),
                "other": Grain(finest_grain(mapping)).label.lower(),
            }
        )


def finest_grain(mapping: ImportMapping) -> Grain:
    """Return how exactly the day of an answer is known."""
    wave = mapping.campaign.wave
    return wave.grain if wave is not None else mapping.date.known_by


# ---- Making it -----------------------------------------------------------------------------------
@transaction.atomic
def set_up(
    mapping: ImportMapping, *, first_on: date, last_on: date, by: Principal, now: datetime
) -> Ground:
    """Make what is missing of what the mapping describes; what is there stays as it is.

    raises: NotPermitted when that needs more than running surveys
    """
    by.require(Permission.MANAGE_SURVEYS)
    ground = survey(mapping)
    if any(ground.will_make[what] for what in ("units", "channels", "segments")):
        by.require(Permission.MANAGE_ORGANISATION)
    if mapping.organisation and not Organisation.objects.exists():
        by.require(Permission.MANAGE_ORGANISATION)
        set_up_organisation(**mapping.organisation, by=by, now=now)
    _make_units(mapping, date(first_on.year, 1, 1), by=by, now=now)
    _make_groups(Channel, mapping.channels, by=by, now=now)
    _make_groups(Segment, mapping.segments, by=by, now=now)
    version = ground.version or _make_version(mapping, by=by, now=now)
    if ground.campaign is None:
        _make_campaign(mapping, version, first_on, last_on, by=by, now=now)
    if mapping.system is not None:
        by.require(Permission.MANAGE_INDICATORS)
        make_system(mapping.system, version, since=date(first_on.year, 1, 1), by=by, now=now)
    return survey(mapping)


def _make_units(mapping: ImportMapping, on: date, *, by: Principal, now: datetime) -> None:
    there = {unit.code: unit for unit in Unit.objects.all()}
    waiting = [place for place in mapping.units if place.code not in there]
    while waiting:
        ready = [place for place in waiting if not place.parent or place.parent in there]
        if not ready:
            names = ", ".join(place.code for place in waiting)
            raise InvalidInput(
                _("These units stand below each other in a circle: %(names)s.") % {"names": names}
            )
        for place in ready:
            there[place.code] = open_unit(
                code=place.code,
                name=place.name,
                parent=there.get(place.parent),
                kind=place.kind,
                on=place.opened_on or on,
                by=by,
                now=now,
            )
        waiting = [place for place in waiting if place.code not in there]


def _make_groups(
    model: type[Channel] | type[Segment],
    places: Sequence[NewPlace],
    *,
    by: Principal,
    now: datetime,
) -> None:
    there = set(model.objects.values_list("code", flat=True))
    for position, place in enumerate(places):
        if place.code in there:
            continue
        row = model(code=place.code, name=place.name, position=position)
        row.full_clean()
        row.save()
        kind = model.__name__.lower()
        record(
            action=f"{kind}.added",
            subject=f"{kind}:{row.pk}",
            by=by,
            now=now,
            details={"code": place.code},
        )


def _make_version(mapping: ImportMapping, *, by: Principal, now: datetime) -> InstrumentVersion:
    """Publish the questionnaire: its first version, or a next one with the new questions."""
    definition = _definition(mapping)
    versions = InstrumentVersion.objects.published().filter(instrument__code=definition.code)
    latest = versions.select_related("instrument").order_by("-number").first()
    if latest is None:
        version = create_instrument(definition=definition, by=by, now=now)
    else:
        version = draft_next_version(version=latest, by=by)
        change_draft(version=version, definition=definition, by=by)
    publish_version(version=version, by=by, now=now)
    return version


def _make_campaign(
    mapping: ImportMapping,
    version: InstrumentVersion,
    first_on: date,
    last_on: date,
    *,
    by: Principal,
    now: datetime,
) -> None:
    wave = mapping.campaign.wave
    span = (wave.start, wave.end) if wave else (first_on, last_on + timedelta(days=1))
    campaign = create_campaign(
        code=mapping.campaign.code,
        name=mapping.campaign.name,
        version=version,
        mode=Campaign.Mode(mapping.campaign.mode),
        opens_on=span[0],
        closes_on=span[1],
        finest_grain=finest_grain(mapping),
        by=by,
        now=now,
    )
    close_campaign(campaign=campaign, by=by, now=now)


def make_system(
    wanted: SystemMap, version: InstrumentVersion, *, since: date, by: Principal, now: datetime
) -> None:
    """Publish an indicator system that judges these answers; the same one again changes nothing."""
    starter_system(
        code=wanted.code,
        name=wanted.name,
        measures=starter_measures(version, dimensions=wanted.dimensions, outcomes=wanted.outcomes),
        grains=wanted.grains,
        since=wanted.since or since,
        by=by,
        now=now,
    )


def check_codes(mapping: ImportMapping) -> None:
    """Refuse codes and settings that could not be made. raises: InvalidInput naming them."""
    problems: list[Problem] = []
    rows: list[tuple[str, models.Model]] = [
        *(
            ("units", Unit(code=p.code, name=p.name, kind=p.kind, opened_on=date(2000, 1, 1)))
            for p in mapping.units
        ),
        *(("channels", Channel(code=p.code, name=p.name)) for p in mapping.channels),
        *(("segments", Segment(code=p.code, name=p.name)) for p in mapping.segments),
    ]
    if mapping.organisation:
        rows.append(("organisation", Organisation(**mapping.organisation)))
        zone = mapping.organisation.get("time_zone", "UTC")
        if zone not in available_timezones():
            problems.append(Problem(_("is no time zone"), field="organisation.time_zone"))
    for where, row in rows:
        problems += _wrong_fields(where, row)
    try:
        Campaign(code=mapping.campaign.code).clean_fields(
            exclude={field.name for field in Campaign._meta.fields} - {"code"}
        )
    except ValidationError as error:
        problems += [Problem(" ".join(error.messages), field="campaign.code")]
    if problems:
        raise InvalidInput(_("The mapping cannot be used as it is."), problems=problems[:50])


def _wrong_fields(where: str, row: models.Model) -> list[Problem]:
    try:
        row.clean_fields(exclude={"id", "parent"})
    except ValidationError as error:
        return [
            Problem(" ".join(messages), field=f"{where}.{name}")
            for name, messages in error.message_dict.items()
        ]
    except (TypeError, ValueError) as error:
        return [Problem(str(error)[:100], field=where)]
    return []


def period_of(day: date, mapping: ImportMapping) -> date:
    """Return the day under which an answer is kept: the first of what is known of it."""
    grain = finest_grain(mapping)
    return day if grain == Grain.DAY else Period.of(day, grain).start
