from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def forget_sums(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Questionnaires have more measures now: the sums are made anew from the answers, in the
    background, as if all of these had just come in."""
    responses = apps.get_model("surveys", "Response").objects
    responses.filter(in_rollup=True, withdrawn=True).delete()
    responses.filter(in_rollup=True).update(in_rollup=False)
    apps.get_model("surveys", "Rollup").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("surveys", "0003_invitations")]

    operations = [migrations.RunPython(forget_sums, migrations.RunPython.noop)]
