"""Instruments: the questionnaires, in versions that are their own codebook."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sqcore.base.text import in_language, validate_translated

POINTS = (0, 100)
"""The scale of an item that asks for a part of 100 points."""


class Instrument(models.Model):
    """A questionnaire through all its versions; item codes mean the same in each of them."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    description = models.JSONField(_("description"), default=dict, blank=True)

    class Meta:
        verbose_name = _("questionnaire")
        verbose_name_plural = _("questionnaires")

    def __str__(self) -> str:
        return in_language(self.name)


class InstrumentVersionQuerySet(models.QuerySet["InstrumentVersion"]):
    def published(self) -> Self:
        return self.filter(published_at__isnull=False)


class InstrumentVersion(models.Model):
    """One version. Published, it never changes: answers are read by it for ever.

    `dimensions` names the item dimensions: [{"code": ..., "name": {language: text}}], in order.
    """

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("version"), default=1)
    languages = models.JSONField(_("languages"), default=list)
    dimensions = models.JSONField(_("dimensions"), default=list)
    introduction = models.JSONField(_("introduction"), default=dict, blank=True)
    thanks = models.JSONField(_("thanks"), default=dict, blank=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)

    objects = InstrumentVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("version of a questionnaire")
        verbose_name_plural = _("versions of questionnaires")
        constraints = [
            models.UniqueConstraint(fields=["instrument", "number"], name="instrument_version"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.number}"


class Item(models.Model):
    """One question. Scored items (scale, nps) have whole-number answers from `low` to `high`.

    `pair` is, on an expectation item, the code of the perception item that it belongs to; on one
    that asks how it would be if something were there, the code of the one that asks how it would be
    without it (the two questions of Kano's method, both answered 1 to 5).
    An importance item asks how much its dimension counts: from 0 to 100 a part of 100 points that a
    respondent divides over the dimensions, on another scale a rating.
    A reversed item is turned once, on the way in; the raw answer is kept.
    """

    class Kind(models.TextChoices):
        SCALE = "scale", _("Scale")
        NPS = "nps", _("Recommendation 0 to 10")
        CHOICE = "choice", _("One of several")
        COMMENT = "comment", _("Own words")

    class Role(models.TextChoices):
        PERCEPTION = "perception", _("Perception")
        EXPECTATION = "expectation", _("Expectation")
        OUTCOME = "outcome", _("Outcome")
        CONTEXT = "context", _("Context")
        PRESENT = "present", _("If it were there")
        ABSENT = "absent", _("If it were missing")
        IMPORTANCE = "importance", _("How much it counts")

    class About(models.TextChoices):
        PERSON = "person", _("The person who served")
        UNIT = "unit", _("The unit")
        PROCESS = "process", _("The process")
        FACILITY = "facility", _("Rooms and equipment")
        SYSTEM = "system", _("The organisation as a whole")

    version = models.ForeignKey(InstrumentVersion, on_delete=models.CASCADE, related_name="items")
    code = models.SlugField(_("code"), max_length=50)
    position = models.PositiveSmallIntegerField(_("order"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind, default=Kind.SCALE)
    role = models.CharField(_("role"), max_length=12, choices=Role, default=Role.PERCEPTION)
    dimension = models.SlugField(_("dimension"), max_length=50, blank=True)
    about = models.CharField(_("about"), max_length=8, choices=About, default=About.UNIT)
    pair = models.SlugField(_("expectation of"), max_length=50, blank=True)
    text = models.JSONField(_("wording"), validators=[validate_translated])
    low = models.SmallIntegerField(_("lowest answer"), default=1)
    high = models.SmallIntegerField(_("highest answer"), default=7)
    anchors = models.JSONField(_("words at the ends"), default=dict, blank=True)
    options = models.JSONField(_("choices"), default=list, blank=True)
    is_reversed = models.BooleanField(_("reversed"), default=False)
    allows_na = models.BooleanField(_("may be “not applicable”"), default=True)

    class Meta:
        verbose_name = _("item")
        verbose_name_plural = _("items")
        constraints = [
            models.UniqueConstraint(fields=["version", "code"], name="item_code_once"),
            models.UniqueConstraint(fields=["version", "position"], name="item_position_once"),
            models.CheckConstraint(
                condition=Q(low__gte=0, high__lte=253, low__lt=F("high")),
                name="item_scale_fits_a_byte",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {in_language(self.text)}"

    @property
    def is_scored(self) -> bool:
        return self.kind in (self.Kind.SCALE, self.Kind.NPS)

    @property
    def is_points(self) -> bool:
        """A part of 100 points that are divided over the dimensions."""
        return self.role == self.Role.IMPORTANCE and (self.low, self.high) == POINTS
