"""The Celery application; tasks are found through the front doors `<app>/tasks.py`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sqcore.project.settings.current")
app = Celery("sqcore")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
