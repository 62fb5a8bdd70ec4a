"""What people are told when something happened."""

from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from sqcore.base.bus import handles
from sqcore.base.events import JobFailed
from sqcore.base.text import in_all_languages
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.notices.services import notify, notify_holders_of


@handles(JobFailed, key="sqcore.notices.job_failed")
def tell_of_failed_job(event: JobFailed, now: datetime) -> None:
    """Tell who started it, and who manages users: they run the installation."""
    key = f"job-failed:{event.job_id}:{event.fence}"
    title = in_all_languages(_("Did not work: %(job)s"), job=event.title)
    body = in_all_languages(_("The page of the job says why, and lets you try it again."))
    link = reverse("sqcore:jobs-detail", args=[event.job_id])
    notify(
        readers=User.objects.filter(pk__in=[event.owner_id or 0], is_active=True),
        key=key,
        title=title,
        body=body,
        reason=in_all_languages(_("You started this job.")),
        link=link,
        now=now,
    )
    notify_holders_of(
        Permission.MANAGE_USERS,
        key=key,
        title=title,
        body=body,
        reason=in_all_languages(_("You are an administrator.")),
        link=link,
        now=now,
    )
