from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"

    def ready(self) -> None:
        from training import handlers, plugins  # noqa: F401 - importing them registers what they list
