from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """The ends of the scale get words of their own: a target is what an indicator should reach."""

    dependencies = [("sqcore", "0002_audit_triggers")]

    operations = [
        migrations.RemoveConstraint("weightedindicator", "weighted_indicator_goalposts_differ"),
        migrations.RenameField("weightedindicator", "floor", "worst"),
        migrations.RenameField("weightedindicator", "target", "best"),
        migrations.AddConstraint(
            "weightedindicator",
            models.CheckConstraint(
                condition=~Q(worst=F("best")), name="weighted_indicator_goalposts_differ"
            ),
        ),
    ]
