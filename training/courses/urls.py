"""Addresses of the catalogue, of courses and of the programme board."""

from django.urls import path

from training.courses import views

urlpatterns = [
    path("training/courses/", views.catalogue, name="courses-list"),
    path("training/courses/new/", views.new_course, name="courses-new"),
    path("training/courses/<slug:code>/", views.course, name="courses-course"),
    path("training/courses/<slug:code>/change/", views.edit_course, name="courses-edit"),
    path(
        "training/courses/<slug:code>/prerequisites/",
        views.prerequisites,
        name="courses-prerequisites",
    ),
    path("training/courses/<slug:code>/teaches/", views.taught, name="courses-taught"),
    path("training/courses/<slug:code>/publish/", views.publish, name="courses-publish"),
    path("training/courses/<slug:code>/plan/", views.plan, name="courses-plan"),
    path("training/sessions/", views.board, name="courses-calendar"),
]
