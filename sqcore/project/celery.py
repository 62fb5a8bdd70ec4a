"""The Celery application; tasks are found through the front doors `<app>/tasks.py`."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sqcore.project.settings.current")
TRANSPORT_ALIASES["filequeue"] = "sqcore.project.filequeue:Transport"
app = Celery("sqcore")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
