"""Reading imports, and what a file's columns could mean here."""

from collections.abc import Iterable

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.identity.principals import Principal
from sqcore.jobs.models import Job
from sqcore.org.models import Channel, Segment, Unit
from surveys.imports.guesses import Known, KnownPlaces
from surveys.imports.models import Import
from surveys.instruments.models import InstrumentVersion


def imports_for(principal: Principal) -> QuerySet[Import]:
    """Return the imports this person may see, newest first."""
    return (
        Import.objects.visible_to(principal)
        .select_related("campaign", "created_by")
        .defer("report", "mapping")
        .order_by("-created_at", "-id")
    )


def import_of(principal: Principal, import_id: int) -> Import:
    """Return one import this person may see. raises: NotFound"""
    found = (
        Import.objects.visible_to(principal)
        .select_related("campaign", "created_by")
        .filter(pk=import_id)
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such import."))
    return found


def job_of_import(imported: Import) -> Job | None:
    """Return the job that takes it in, if there is one."""
    return Job.objects.filter(pk=imported.job_key).first() if imported.job_key else None


def known() -> Known:
    """Return the questionnaires, units, channels and segments that columns could mean."""
    instruments = {}
    versions = InstrumentVersion.objects.published().select_related("instrument")
    for version in versions.prefetch_related("items").order_by("instrument_id", "number"):
        instruments[version.instrument.code] = {
            item.code: list(item.text.values())
            for item in sorted(version.items.all(), key=lambda item: item.position)
        }
    return Known(
        instruments,
        {
            "unit": _places(Unit.objects.order_by("id")),
            "channel": _places(Channel.objects.order_by("position", "id")),
            "segment": _places(Segment.objects.order_by("position", "id")),
        },
    )


def _places(rows: Iterable[Unit | Channel | Segment]) -> KnownPlaces:
    return KnownPlaces({row.code: list(row.name.values()) for row in rows})
