from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("surveys", "0008_risk_by_month"),
    ]

    operations = [
        migrations.AlterField(
            model_name="item",
            name="role",
            field=models.CharField(
                choices=[
                    ("perception", "Perception"),
                    ("expectation", "Expectation"),
                    ("outcome", "Outcome"),
                    ("context", "Context"),
                    ("present", "If it were there"),
                    ("absent", "If it were missing"),
                    ("importance", "How much it counts"),
                ],
                default="perception",
                max_length=12,
                verbose_name="role",
            ),
        ),
    ]
