from django.apps import AppConfig


class ImprovementConfig(AppConfig):
    name = "improvement"

    def ready(self) -> None:
        from improvement import handlers, plugins  # noqa: F401 - importing them registers what they list
