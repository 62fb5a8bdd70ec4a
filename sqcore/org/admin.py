"""The workshop's pages of the organisation; saving leaves an audit row, as a service does."""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.contrib import admin
from django.db import models
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from sqcore.audit.services import record
from sqcore.base.forms import TranslatedTextField
from sqcore.identity.principals import principal_of
from sqcore.org.models import (
    Assignment,
    Channel,
    Holiday,
    Organisation,
    Placement,
    Post,
    RoleGrant,
    Segment,
    Staff,
    Unit,
)

M = TypeVar("M", bound=models.Model)
TRANSLATED: Mapping[type[models.Field[Any, Any]], Mapping[str, Any]] = {
    models.JSONField: {"form_class": TranslatedTextField}
}


class RecordedAdmin(admin.ModelAdmin[M]):
    """Saves with an audit row, never deletes: things end, they do not vanish."""

    formfield_overrides = TRANSLATED

    def save_model(self, request: HttpRequest, obj: M, form: "ModelForm[M]", change: bool) -> None:
        super().save_model(request, obj, form, change)
        kind = obj._meta.model_name
        record(
            action=f"{kind}.changed" if change else f"{kind}.added",
            subject=f"{kind}:{obj.pk}",
            by=principal_of(request),
            now=timezone.now(),
            details={"fields": sorted(form.changed_data), "in": "workshop"},
        )

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class PlacementInline(admin.TabularInline[Placement, Unit]):
    model = Placement
    fk_name = "unit"
    extra = 0
    can_delete = False
    autocomplete_fields = ("parent",)


class AssignmentInline(admin.TabularInline[Assignment, Staff]):
    model = Assignment
    extra = 0
    can_delete = False
    autocomplete_fields = ("unit",)


@admin.register(Organisation)
class OrganisationAdmin(RecordedAdmin[Organisation]):
    fields = ("name", "time_zone", "fiscal_start", "smallest_group")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return not Organisation.objects.exists()

    def save_model(self, request: HttpRequest, obj: Organisation, *rest: Any) -> None:
        obj.pk = 1
        super().save_model(request, obj, *rest)


@admin.register(Unit)
class UnitAdmin(RecordedAdmin[Unit]):
    list_display = ("code", "__str__", "kind", "opened_on", "closed_on")
    search_fields = ("code", "name")
    list_filter = ("kind",)
    ordering = ("code",)
    inlines = (PlacementInline,)


@admin.register(Staff)
class StaffAdmin(RecordedAdmin[Staff]):
    list_display = ("number", "name", "user", "joined_on", "left_on")
    list_select_related = ("user",)
    search_fields = ("number", "name")
    ordering = ("number",)
    autocomplete_fields = ("user",)
    inlines = (AssignmentInline,)


@admin.register(RoleGrant)
class RoleGrantAdmin(RecordedAdmin[RoleGrant]):
    list_display = ("user", "role", "unit", "valid_from", "valid_to")
    list_select_related = ("user", "unit")
    list_filter = ("role",)
    ordering = ("user__username", "id")
    autocomplete_fields = ("user", "unit")


@admin.register(Channel, Segment)
class NamedAdmin(RecordedAdmin[Channel]):
    list_display = ("code", "__str__", "position")
    ordering = ("position", "code")


@admin.register(Post)
class PostAdmin(RecordedAdmin[Post]):
    list_display = ("code", "__str__", "is_front_line")
    ordering = ("code",)


@admin.register(Holiday)
class HolidayAdmin(RecordedAdmin[Holiday]):
    list_display = ("on", "__str__")
    ordering = ("on",)
