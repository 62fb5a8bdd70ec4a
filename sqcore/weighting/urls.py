"""Addresses of the weighting pages."""

from django.urls import path

from sqcore.weighting.views import apply, choose, group, judge, version

BELOW = "setup/systems/versions/<int:version_id>/weights/"

urlpatterns = [
    path(BELOW, version, name="weighting-version"),
    path(f"{BELOW}<slug:group>/", group, name="weighting-group"),
    path(f"{BELOW}<slug:group>/choose", choose, name="weighting-choose"),
    path(f"{BELOW}<slug:group>/judge", judge, name="weighting-judge"),
    path(f"{BELOW}<slug:group>/apply", apply, name="weighting-apply"),
]
