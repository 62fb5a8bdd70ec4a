"""Reading files of rows."""

from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.files.kinds import ROW_KINDS, RowKind
from sqcore.files.models import FileImport, FileImportQuerySet
from sqcore.identity.principals import Principal
from sqcore.jobs.models import Job


def kind_of(principal: Principal, key: str) -> RowKind:
    """Return the kind of rows. raises: NotFound, NotPermitted"""
    if key not in ROW_KINDS:
        raise NotFound(_("There are no files of “%(kind)s”.") % {"kind": key[:40]})
    kind = ROW_KINDS[key]
    principal.require(kind.permission)
    return kind


def imports_of(principal: Principal, kind: RowKind) -> FileImportQuerySet:
    found = FileImport.objects.visible_to(principal).filter(kind=kind.key)
    return found.select_related("created_by").order_by("-created_at", "-id")


def import_of(principal: Principal, import_id: int) -> FileImport:
    """Return the import. raises: NotFound"""
    found = FileImport.objects.visible_to(principal).select_related("created_by")
    imported = found.filter(pk=import_id).first()
    if imported is None:
        raise NotFound(_("There is no such import, or it is not for you."))
    return imported


def job_of(imported: FileImport) -> Job | None:
    return Job.objects.filter(pk=imported.job_key).first() if imported.job_key else None
