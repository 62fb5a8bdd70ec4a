"""Addresses of competitors and the market."""

from django.urls import path

from sqcore.comparators import views

urlpatterns = [
    path("comparators/", views.values, name="comparators-values"),
    path("comparators/new/", views.add, name="comparators-add"),
    path("comparators/values/<int:value_id>/", views.value, name="comparators-value"),
    path("comparators/values/<int:value_id>/revise/", views.revise, name="comparators-revise"),
    path(
        "comparators/values/<int:value_id>/withdraw/", views.withdraw, name="comparators-withdraw"
    ),
    path("comparators/who/", views.comparators, name="comparators-comparators"),
    path("comparators/who/new/", views.new_comparator, name="comparators-new"),
    path("comparators/who/of/<slug:code>/", views.change_comparator, name="comparators-change"),
    path("comparators/names/", views.names, name="comparators-names"),
    path("comparators/names/<int:name_id>/forget/", views.forget_name, name="comparators-forget"),
]
