"""Addresses of the board, the intake, tickets, own actions and standards."""

from django.urls import path

from improvement.cycle import views

urlpatterns = [
    path("board/", views.board, name="board"),
    path("board/ended/", views.ended, name="ended"),
    path("intake/", views.proposals, name="intake"),
    path("my-actions/", views.my_actions, name="my-actions"),
    path("standards/", views.standards, name="standards"),
    path("standards/<slug:code>/", views.standard, name="standard"),
    path("tickets/new/", views.propose, name="propose"),
    path("tickets/<int:pk>/", views.ticket, name="ticket"),
    path("tickets/<int:pk>/a3/", views.a3, name="a3"),
    path("tickets/<int:pk>/files/<int:file>/", views.attachment, name="attachment"),
    path("tickets/<int:pk>/do/<slug:verb>/", views.do, name="do"),
]
