"""Addresses of incentives."""

from django.urls import path

from training.incentives import views

urlpatterns = [
    path("awards/", views.proposals, name="incentives-proposals"),
    path("awards/<int:pk>/", views.proposal, name="incentives-proposal"),
    path("incentives/", views.schemes, name="incentives-list"),
    path("incentives/new/", views.edit, name="incentives-new"),
    path("incentives/ledger/", views.ledger, name="incentives-ledger"),
    path("incentives/ledger/<int:pk>/take-back/", views.reverse_entry, name="incentives-reverse"),
    path("incentives/payroll/", views.batches, name="incentives-batches"),
    path("incentives/payroll/<int:number>/", views.batch, name="incentives-batch"),
    path("incentives/payroll/<int:number>/file/", views.batch_file, name="incentives-file"),
    path("incentives/trials/<int:pk>/", views.trial, name="incentives-trial"),
    path("incentives/schemes/<slug:code>/", views.scheme, name="incentives-scheme"),
    path("incentives/schemes/<slug:code>/change/", views.edit, name="incentives-edit"),
    path("incentives/schemes/<slug:code>/try/", views.try_rules, name="incentives-try"),
    path("incentives/schemes/<slug:code>/publish/", views.publish, name="incentives-publish"),
    path("incentives/schemes/<slug:code>/switch/", views.switch, name="incentives-switch"),
    path("incentives/schemes/<slug:code>/draft/", views.draft, name="incentives-draft"),
    path(
        "incentives/schemes/<slug:code>/draft/add/<slug:key>/",
        views.add_rule,
        name="incentives-add-rule",
    ),
    path(
        "incentives/schemes/<slug:code>/draft/<int:row>/",
        views.change_rule,
        name="incentives-change-rule",
    ),
    path(
        "incentives/schemes/<slug:code>/draft/<int:row>/remove/",
        views.remove_rule,
        name="incentives-remove-rule",
    ),
    path("recognition/", views.wall, name="incentives-wall"),
    path("recognition/write/", views.write_words, name="incentives-write"),
    path("recognition/<int:pk>/answer/", views.answer_words, name="incentives-answer"),
    path("recognition/<int:pk>/take-down/", views.take_down, name="incentives-take-down"),
]
