"""The ledger is append-only: the database refuses to change, delete or empty it."""

from django.db import migrations

from sqcore.audit import triggers


def install(apps, editor):
    triggers.install(editor.connection)


def remove(apps, editor):
    triggers.remove(editor.connection)


class Migration(migrations.Migration):
    dependencies = [("sqcore", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
