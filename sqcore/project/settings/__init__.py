"""`current` chooses between `embedded` and `server`; both stand on `base`. `test` is the suite's."""

# Every process that reads settings sends its bells through this application and its broker.
from sqcore.project.celery import app as celery_app

__all__ = ["celery_app"]
