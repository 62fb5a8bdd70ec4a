"""Addresses of the effect of training."""

from django.urls import path

from training.effect import views

urlpatterns = [
    path("training/effect/", views.courses, name="effect-list"),
    path("training/effect/courses/<slug:code>/", views.course, name="effect-course"),
    path("training/effect/courses/<slug:code>/register/", views.register, name="effect-register"),
    path("training/effect/studies/<slug:code>/", views.study, name="effect-study"),
    path("training/effect/studies/<slug:code>/conclude/", views.conclude, name="effect-conclude"),
    path("training/effect/studies/<slug:code>/enrol/", views.enrol, name="effect-enrol"),
    path("training/effect/studies/<slug:code>/abandon/", views.abandon, name="effect-abandon"),
]
