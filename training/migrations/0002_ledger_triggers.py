"""Decisions, ledger and payroll batches are append-only: the database refuses to change, delete or empty it."""

from django.db import migrations

from training.incentives.models import NEVER_CHANGED


def install(apps, editor):
    NEVER_CHANGED.install(editor.connection)


def remove(apps, editor):
    NEVER_CHANGED.remove(editor.connection)


class Migration(migrations.Migration):
    dependencies = [("training", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
