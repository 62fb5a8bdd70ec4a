"""The workshop's view of events that could not be delivered."""

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from sqcore.base import bus
from sqcore.base.models import Delivery

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Delivery]
else:
    ModelAdmin = admin.ModelAdmin  # Django's own class takes no type parameter


@admin.register(Delivery)
class DeliveryAdmin(ModelAdmin):
    """Shows deliveries with their last error; dead ones can be sent again, nothing be edited."""

    list_display = ("handler", "happened", "state", "attempts", "next_attempt_at", "last_error")
    list_filter = ("state", "handler")
    list_select_related = ("event",)
    ordering = ("-pk",)
    show_full_result_count = False
    actions = ("deliver_again",)

    @admin.display(description=_("event"))
    def happened(self, delivery: Delivery) -> str:
        return str(delivery.event)

    @admin.action(description=_("Deliver dead ones again"), permissions=["view"])
    def deliver_again(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        count = bus.requeue(chosen, now=timezone.now())
        text = ngettext(
            "%(count)d delivery will be tried again.",
            "%(count)d deliveries will be tried again.",
            count,
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False
