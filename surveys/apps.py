from django.apps import AppConfig


class SurveysConfig(AppConfig):
    name = "surveys"

    def ready(self) -> None:
        from surveys import handlers, plugins  # noqa: F401 - importing them registers what they list
