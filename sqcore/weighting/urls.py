"""Addresses of the weighting pages."""

from django.urls import path

from sqcore.weighting import views

BELOW = "setup/systems/versions/<int:version_id>/weights/"

urlpatterns = [
    path("e/<str:secret>/", views.expert, name="weighting-expert"),
    path(BELOW, views.version, name="weighting-version"),
    path(f"{BELOW}sensitivity", views.sensitivity, name="weighting-sensitivity"),
    path(f"{BELOW}<slug:group>/", views.group, name="weighting-group"),
    path(f"{BELOW}<slug:group>/choose", views.choose, name="weighting-choose"),
    path(f"{BELOW}<slug:group>/judge", views.judge, name="weighting-judge"),
    path(f"{BELOW}<slug:group>/score", views.score, name="weighting-score"),
    path(f"{BELOW}<slug:group>/close-round", views.close_round, name="weighting-close-round"),
    path(f"{BELOW}<slug:group>/invite", views.invite, name="weighting-invite"),
    path(f"{BELOW}<slug:group>/links/<int:invitation_id>", views.link, name="weighting-link"),
    path(f"{BELOW}<slug:group>/apply", views.apply, name="weighting-apply"),
]
