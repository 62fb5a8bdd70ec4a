"""The organisation: its units as a dated tree, who works where, its channels and segments."""

from datetime import date
from typing import ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sqcore.base.text import in_language, validate_translated
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal
from sqcore.org.shifts import usual_shifts, validate_shifts


def during(on: date, *, prefix: str = "") -> Q:
    """Rows whose [valid_from, valid_to) contains this day."""
    return Q(**{f"{prefix}valid_from__lte": on}) & (
        Q(**{f"{prefix}valid_to__isnull": True}) | Q(**{f"{prefix}valid_to__gt": on})
    )


class Organisation(models.Model):
    """The one organisation of this installation and the rules that hold everywhere."""

    name = models.JSONField(_("name"), validators=[validate_translated])
    time_zone = models.CharField(_("time zone"), max_length=50, default="Asia/Shanghai")
    fiscal_start = models.PositiveSmallIntegerField(
        _("first month of the fiscal year"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(12)],
    )
    smallest_group = models.PositiveSmallIntegerField(
        _("smallest group that is shown"),
        default=5,
        validators=[MinValueValidator(3), MaxValueValidator(50)],
        help_text=_("Results of fewer answers than this are never shown, on any path."),
    )
    shifts = models.JSONField(_("shifts"), default=usual_shifts, validators=[validate_shifts])

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisation")
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="organisation_is_one"),
            models.CheckConstraint(
                condition=Q(smallest_group__gte=3), name="organisation_group_floor"
            ),
            models.CheckConstraint(
                condition=Q(fiscal_start__gte=1, fiscal_start__lte=12),
                name="organisation_fiscal_month",
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.name)


class Holiday(models.Model):
    """A day on which the organisation is closed."""

    on = models.DateField(_("day"), unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])

    class Meta:
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")

    def __str__(self) -> str:
        return f"{self.on} {in_language(self.name)}"


class UnitQuerySet(models.QuerySet["Unit"]):
    def visible_to(
        self, principal: Principal, permission: Permission = Permission.VIEW_ORGANISATION
    ) -> Self:
        scope = principal.scope(permission)
        return self if scope.everywhere else self.filter(pk__in=scope.units)

    def open_on(self, on: date) -> Self:
        return self.filter(Q(opened_on__lte=on) & (Q(closed_on__isnull=True) | Q(closed_on__gt=on)))


class Unit(models.Model):
    """A branch, a department, a region, the whole: where service happens. Never deleted; closed."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    kind = models.SlugField(_("kind"), max_length=30, default="branch")
    position = models.PositiveSmallIntegerField(_("order"), default=0)
    opened_on = models.DateField(_("opened"))
    closed_on = models.DateField(_("closed"), null=True, blank=True)

    objects = UnitQuerySet.as_manager()

    class Meta:
        verbose_name = _("unit")
        verbose_name_plural = _("units")
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_on__isnull=True) | Q(closed_on__gt=F("opened_on")),
                name="unit_closes_after_it_opens",
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.name)


class Placement(models.Model):
    """Where a unit stands in the tree during [valid_from, valid_to); the root has no parent."""

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="placements")
    parent = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="child_placements", null=True, blank=True
    )
    valid_from = models.DateField(_("from"))
    valid_to = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("place in the tree")
        verbose_name_plural = _("places in the tree")
        constraints = [
            models.UniqueConstraint(fields=["unit", "valid_from"], name="placement_once_a_day"),
            models.UniqueConstraint(
                fields=["unit"], condition=Q(valid_to__isnull=True), name="placement_one_open"
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("unit")),
                name="placement_not_below_itself",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="placement_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit} from {self.valid_from}"


class Channel(models.Model):
    """A way in which service reaches the customer: counter, telephone, app."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    position = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")

    def __str__(self) -> str:
        return in_language(self.name)


class Segment(models.Model):
    """A group of customers with needs of their own."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    position = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")

    def __str__(self) -> str:
        return in_language(self.name)


class Post(models.Model):
    """A kind of work: teller, adviser, branch manager."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.JSONField(_("name"), validators=[validate_translated])
    is_front_line = models.BooleanField(_("serves customers"), default=True)

    class Meta:
        verbose_name = _("post")
        verbose_name_plural = _("posts")

    def __str__(self) -> str:
        return in_language(self.name)


class StaffQuerySet(models.QuerySet["Staff"]):
    def visible_to(self, principal: Principal, *, on: date) -> Self:
        """Themselves, and who is assigned on this day to a unit whose people they may see."""
        scope = principal.scope(Permission.VIEW_PEOPLE)
        if scope.everywhere:
            return self
        assigned = Assignment.objects.filter(during(on), unit__in=scope.units)
        return self.filter(Q(pk=principal.staff_id) | Q(pk__in=assigned.values("staff_id")))


class Staff(models.Model):
    """A person who works here; apart from the user, who is a way to log in."""

    number = models.CharField(_("staff number"), max_length=30, unique=True)
    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=150)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="staff",
        null=True,
        blank=True,
    )
    joined_on = models.DateField(_("joined"))
    left_on = models.DateField(_("left"), null=True, blank=True)

    objects = StaffQuerySet.as_manager()

    class Meta:
        verbose_name = _("staff member")
        verbose_name_plural = _("staff")
        constraints = [
            models.CheckConstraint(
                condition=Q(left_on__isnull=True) | Q(left_on__gt=F("joined_on")),
                name="staff_leaves_after_joining",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"


class Assignment(models.Model):
    """Who works at which unit in which post during [valid_from, valid_to)."""

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="assignments")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="assignments")
    post = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="assignments")
    valid_from = models.DateField(_("from"))
    valid_to = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        constraints = [
            models.UniqueConstraint(
                fields=["staff", "unit", "post", "valid_from"], name="assignment_once"
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="assignment_ends_after_it_starts",
            ),
        ]
        indexes = [models.Index(fields=["unit", "valid_from"], name="assignment_of_unit")]

    def __str__(self) -> str:
        return f"{self.staff} at {self.unit} from {self.valid_from}"


def of_people(
    principal: Principal, permission: Permission, *, on: date, prefix: str = "staff"
) -> Q:
    """Rows of the asker, and of who works on this day at units where the permission holds."""
    scope = principal.scope(permission)
    if scope.everywhere:
        return Q()
    assigned = Assignment.objects.filter(during(on), unit__in=scope.units)
    seen = Q(**{f"{prefix}__in": assigned.values("staff_id")}) if scope else Q(pk__in=[])
    own = principal.staff_id
    return seen | Q(**{f"{prefix}_id": own}) if own is not None else seen


class Terms(models.Model):
    """What is known of how somebody is employed, where law allows to keep it; only to see whether
    results and awards treat groups of people alike."""

    class Sex(models.TextChoices):
        FEMALE = "f", _("Female")
        MALE = "m", _("Male")
        OTHER = "x", _("Other")

    staff = models.OneToOneField(Staff, on_delete=models.CASCADE, related_name="terms")
    sex = models.CharField(_("sex"), max_length=1, choices=Sex, blank=True)
    born_in = models.PositiveSmallIntegerField(_("year of birth"), null=True, blank=True)
    weekly_minutes = models.PositiveIntegerField(_("minutes a week"), null=True, blank=True)

    class Meta:
        verbose_name = _("terms of employment")
        verbose_name_plural = _("terms of employment")

    def __str__(self) -> str:
        return str(self.staff)


class Leave(models.Model):
    """Days [valid_from, valid_to) on which somebody was away: parental leave, illness. They pause
    what is counted over months."""

    staff = models.ForeignKey(Staff, on_delete=models.CASCADE, related_name="leaves")
    valid_from = models.DateField(_("from"))
    valid_to = models.DateField(_("until"))

    class Meta:
        verbose_name = _("leave")
        verbose_name_plural = _("leaves")
        constraints = [
            models.UniqueConstraint(fields=["staff", "valid_from"], name="leave_once"),
            models.CheckConstraint(
                condition=Q(valid_to__gt=F("valid_from")), name="leave_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.staff} away from {self.valid_from}"


class RoleGrant(models.Model):
    """A role of a user at a unit and below (no unit: everywhere) during [valid_from, valid_to)."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="role_grants"
    )
    role = models.CharField(_("role"), max_length=20, choices=Role)
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="role_grants", null=True, blank=True
    )
    valid_from = models.DateField(_("from"))
    valid_to = models.DateField(_("until"), null=True, blank=True)

    NEEDS_UNIT: ClassVar[frozenset[str]] = frozenset({Role.MANAGER, Role.STAFF})
    # Surveys, the indicator system, users and the ledger are those of the whole organisation.
    EVERYWHERE: ClassVar[frozenset[str]] = frozenset({Role.ADMINISTRATOR, Role.ANALYST})

    class Meta:
        verbose_name = _("role")
        verbose_name_plural = _("roles")
        constraints = [
            models.UniqueConstraint(
                F("user"),
                F("role"),
                Coalesce(F("unit"), 0),
                F("valid_from"),
                name="role_grant_once",
            ),
            models.CheckConstraint(
                condition=~Q(role__in=["manager", "staff"]) | Q(unit__isnull=False),
                name="role_grant_of_manager_and_staff_has_unit",
                violation_error_message=_("This role belongs to a unit; choose one."),
            ),
            models.CheckConstraint(
                condition=~Q(role__in=["administrator", "analyst"]) | Q(unit__isnull=True),
                name="role_grant_of_administrator_and_analyst_is_everywhere",
                violation_error_message=_("This role holds everywhere; leave the unit empty."),
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="role_grant_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.role} at {self.unit or 'everywhere'}"
