"""Observations can be withdrawn, units stand in an order."""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("sqcore", "0010_stable_goals")]
    operations = [
        migrations.AddField(
            model_name="observation",
            name="withdrawn_because",
            field=models.CharField(blank=True, default="", max_length=300),
        ),
        migrations.AddConstraint(
            model_name="observation",
            constraint=models.CheckConstraint(
                condition=Q(withdrawn_because="")
                | Q(superseded_at__isnull=False, superseded_at=F("recorded_at")),
                name="observation_withdrawn_at_once",
            ),
        ),
        migrations.AddIndex(
            model_name="observation",
            index=models.Index(
                condition=~Q(withdrawn_because=""),
                fields=["measure", "starts_on"],
                name="observation_withdrawn",
            ),
        ),
        migrations.AddField(
            model_name="unit",
            name="position",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="order"),
        ),
    ]
