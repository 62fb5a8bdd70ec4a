"""The workshop's view of runs: what was evaluated when, and from which inputs."""

from django.contrib import admin
from django.http import HttpRequest

from sqcore.evaluation.models import EvaluationRun


@admin.register(EvaluationRun)
class EvaluationRunAdmin(admin.ModelAdmin[EvaluationRun]):
    list_display = ("system", "grain", "starts_on", "revision", "state", "is_current", "reason")
    list_filter = ("system", "grain", "state", "is_current")
    date_hierarchy = "starts_on"
    list_select_related = ("system",)
    exclude = ("definition", "tree")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
