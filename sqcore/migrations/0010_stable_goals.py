"""Goals get a key for good; the database refuses to change epochs of indicators."""

from uuid import uuid4

from django.db import migrations, models

from sqcore.indicators.models import EPOCHS_NEVER_CHANGED


def give_keys(apps, editor):
    """Each goal gets its own key, and what a later version copied from an earlier one the same.

    Where two goals of one version say the same, the second gets a key of its own.
    """
    goals = apps.get_model("sqcore", "Goal").objects
    known, given = {}, set()
    listed = goals.order_by("version__system", "version__number", "position")
    for goal in listed.select_related("version"):
        said = goal.version.system_id, tuple(sorted(goal.text.items()))
        goal.key = known.setdefault(said, uuid4())
        if (goal.version_id, goal.key) in given:
            goal.key = uuid4()
        given.add((goal.version_id, goal.key))
        goal.save(update_fields=["key"])


def install(apps, editor):
    EPOCHS_NEVER_CHANGED.install(editor.connection)


def remove(apps, editor):
    EPOCHS_NEVER_CHANGED.remove(editor.connection)


class Migration(migrations.Migration):
    dependencies = [("sqcore", "0009_methods")]
    operations = [
        migrations.AddField(
            model_name="goal", name="key", field=models.UUIDField(null=True, editable=False)
        ),
        migrations.RunPython(give_keys, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="goal", name="key", field=models.UUIDField(default=uuid4, editable=False)
        ),
        migrations.AddConstraint(
            model_name="goal",
            constraint=models.UniqueConstraint(
                fields=("version", "key"), name="goal_once_in_a_version"
            ),
        ),
        migrations.RunPython(install, remove),
    ]
