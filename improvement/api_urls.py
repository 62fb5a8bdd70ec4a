"""Addresses of the REST interface, room by room."""

from django.urls import URLPattern, URLResolver, path

from improvement.cycle.api import CheckListView, StepView
from improvement.standards.api import StandardListView
from improvement.tickets.api import CommentsView, TicketListView, TicketView

app_name = "improvement-api"

urlpatterns: list[URLPattern | URLResolver] = [
    path("tickets", TicketListView.as_view(), name="tickets-list"),
    path("tickets/<int:ticket_id>", TicketView.as_view(), name="tickets-detail"),
    path("tickets/<int:ticket_id>/comments", CommentsView.as_view(), name="tickets-comments"),
    path("tickets/<int:ticket_id>/checks", CheckListView.as_view(), name="cycle-checks"),
    path("tickets/<int:ticket_id>/<slug:action>", StepView.as_view(), name="cycle-step"),
    path("standards", StandardListView.as_view(), name="standards-list"),
]
