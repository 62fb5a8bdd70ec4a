from django.apps import AppConfig


class SQCoreConfig(AppConfig):
    name = "sqcore"

    def ready(self) -> None:
        from sqcore import handlers, plugins  # noqa: F401 - importing them registers what they list
        from sqcore.project import celery  # noqa: F401 - every process sends through this application
