"""What was achieved is append-only: the database refuses to change, delete or empty it."""

from django.db import migrations

from sqcore.achievements.models import NEVER_CHANGED


def install(apps, editor):
    NEVER_CHANGED.install(editor.connection)


def remove(apps, editor):
    NEVER_CHANGED.remove(editor.connection)


class Migration(migrations.Migration):
    dependencies = [("sqcore", "0006_people")]
    operations = [migrations.RunPython(install, remove)]
