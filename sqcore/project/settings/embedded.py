"""One organisation on one machine: SQLite and a queue of files, everything in one data home."""

from typing import Any
from urllib.parse import urlsplit

from sqcore.project.home import Home
from sqcore.project.settings.base import *  # noqa: F403 - settings build on each other
from sqcore.project.settings.base import BASE_DIR, BASE_URL, SQLITE_OPTIONS, env

HOME = Home(env.folder("SQ_HOME", BASE_DIR / "var" / "own"))
HOME.make()
DEMO = env.flag("SQ_DEMO", default=False)
"""The data are the demo's; set by `manage.py up --demo` for its processes."""

SECRET_KEY = HOME.secret_key()
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    urlsplit(BASE_URL).hostname or "",
    *env.words("SQ_ALLOWED_HOSTS", ""),
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": HOME.database,
        "OPTIONS": SQLITE_OPTIONS,
        "CONN_MAX_AGE": None,
    }
}

MEDIA_ROOT = HOME.media
STATIC_ROOT = HOME.static

CELERY_BROKER_URL = "filequeue://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    "data_folder_in": str(HOME.queue / "messages"),
    "data_folder_out": str(HOME.queue / "messages"),
    "control_folder": str(HOME.queue / "control"),
    "polling_interval": 0.1,
}
CELERY_BEAT_SCHEDULE_FILENAME = str(HOME.schedule)

env.refuse_unknown()
