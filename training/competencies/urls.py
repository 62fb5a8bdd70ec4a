"""Addresses of skills."""

from django.urls import path

from training.competencies import views

urlpatterns = [
    path("skills/", views.matrix, name="competencies-matrix"),
    path("skills/mine/", views.mine, name="competencies-mine"),
    path("skills/frame/", views.frame, name="competencies-list"),
    path("skills/frame/begin/", views.seed, name="competencies-seed"),
    path("skills/frame/required/", views.required, name="competencies-required"),
    path("skills/frame/new/", views.edit, name="competencies-new"),
    path("skills/frame/<slug:code>/", views.edit, name="competencies-edit"),
    path("skills/people/<str:number>/", views.person, name="competencies-person"),
    path("skills/people/<str:number>/assess/", views.assess, name="competencies-assess"),
    path(
        "skills/people/<str:number>/evidence/<int:pk>/withdraw/",
        views.withdraw,
        name="competencies-withdraw",
    ),
]
