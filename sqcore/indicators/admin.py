"""The workshop's view of indicators and systems; what is published can only be looked at."""

from django.contrib import admin
from django.http import HttpRequest

from sqcore.indicators.models import (
    Dimension,
    Indicator,
    IndicatorSystem,
    SystemVersion,
    WeightedIndicator,
)


class ReadOnly:
    """Systems are built by the services, which check and record; here one looks."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Indicator)
class IndicatorAdmin(ReadOnly, admin.ModelAdmin[Indicator]):
    list_display = ("code", "__str__", "statistic", "direction", "source", "valid_from", "valid_to")
    search_fields = ("code", "name")
    list_filter = ("source", "statistic", "direction")


class VersionInline(ReadOnly, admin.TabularInline[SystemVersion, IndicatorSystem]):
    model = SystemVersion
    fields = ("number", "state", "grains", "since", "published_at", "published_by")
    show_change_link = True


@admin.register(IndicatorSystem)
class IndicatorSystemAdmin(admin.ModelAdmin[IndicatorSystem]):
    """Whether a system is evaluated every period can be switched here."""

    list_display = ("code", "__str__", "is_active")
    fields = ("code", "name", "is_active")
    readonly_fields = ("code", "name")
    inlines = (VersionInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class WeightedIndicatorInline(ReadOnly, admin.TabularInline[WeightedIndicator, Dimension]):
    model = WeightedIndicator
    fields = ("indicator", "weight", "worst", "best")


class DimensionInline(ReadOnly, admin.TabularInline[Dimension, SystemVersion]):
    model = Dimension
    fields = ("code", "name", "parent", "weight")
    show_change_link = True


@admin.register(SystemVersion)
class SystemVersionAdmin(ReadOnly, admin.ModelAdmin[SystemVersion]):
    list_display = ("__str__", "state", "since", "published_at")
    list_filter = ("state", "system")
    inlines = (DimensionInline,)


@admin.register(Dimension)
class DimensionAdmin(ReadOnly, admin.ModelAdmin[Dimension]):
    list_display = ("code", "version", "parent", "weight")
    list_filter = ("version",)
    inlines = (WeightedIndicatorInline,)
