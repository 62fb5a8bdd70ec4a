"""The shifts of a day are the organisation's."""

from django.db import migrations, models

import sqcore.org.shifts


class Migration(migrations.Migration):
    dependencies = [("sqcore", "0011_withdrawals_and_order")]
    operations = [
        migrations.AddField(
            model_name="organisation",
            name="shifts",
            field=models.JSONField(
                default=sqcore.org.shifts.usual_shifts,
                validators=[sqcore.org.shifts.validate_shifts],
                verbose_name="shifts",
            ),
        ),
        migrations.AlterField(
            model_name="evaluationrun",
            name="reason",
            field=models.CharField(
                choices=[
                    ("closed", "The period was over"),
                    ("data", "Answers came in or were withdrawn"),
                    (
                        "rules",
                        "The indicator system, the smallest group or the shifts changed",
                    ),
                    ("asked", "Somebody asked for it"),
                ],
                max_length=10,
                verbose_name="reason",
            ),
        ),
    ]
