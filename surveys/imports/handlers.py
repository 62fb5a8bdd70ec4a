"""Whom imports tell."""

from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from sqcore.base.bus import handles
from sqcore.base.events import ResponsesImported
from sqcore.base.text import in_all_languages
from sqcore.identity.permissions import Permission
from sqcore.notices.services import notify
from surveys.imports.models import Import


@handles(ResponsesImported, key="surveys.imports.tell_importer")
def tell_importer(event: ResponsesImported, now: datetime) -> None:
    """Tell who gave the file that its answers are in, and how many rows were left out."""
    imported = Import.objects.select_related("created_by").filter(pk=event.import_id).first()
    if imported is None or imported.created_by is None:
        return
    notify(
        readers=[imported.created_by],
        key=f"imported:{imported.pk}",
        title=in_all_languages(_("Answers are in: %(file)s"), file=imported.file_name),
        body=in_all_languages(
            _("%(taken)s rows were taken in, %(left_out)s were left out."),
            taken=str(imported.rows_taken),
            left_out=str(imported.rows_left_out),
        ),
        reason=in_all_languages(_("You started this import.")),
        link=reverse("sqcore:jobs-detail", args=[imported.job_key]) if imported.job_key else "",
        permission=Permission.MANAGE_SURVEYS,
        now=now,
    )
