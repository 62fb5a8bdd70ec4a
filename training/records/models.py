"""The secret address under which somebody's own calendar reads what is ahead of them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from sqcore.org.models import Staff


class CalendarFeed(models.Model):
    """One address a person. `ref` is its open half; the other half proves it and is never stored,
    so that these rows alone open no calendar. A new `ref` makes the former address worthless.
    """

    staff = models.OneToOneField(Staff, on_delete=models.CASCADE, related_name="calendar_feed")
    ref = models.CharField(max_length=22, unique=True)
    made_at = models.DateTimeField()

    class Meta:
        verbose_name = _("calendar address")
        verbose_name_plural = _("calendar addresses")

    def __str__(self) -> str:
        return str(self.staff_id)
