"""For the test suite: of the machine's settings only `SQ_TEST_*` count, the servers to test on."""

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sqcore.project.home import Home
from sqcore.project.settings.base import *  # noqa: F403 - settings build on each other
from sqcore.project.settings.base import SQLITE_OPTIONS, STORAGES, env

HOME = Home(Path(tempfile.mkdtemp(prefix="sqcore-test-")))
HOME.make()
atexit.register(shutil.rmtree, HOME.path, ignore_errors=True)
DEMO = False

SECRET_KEY = "test"  # noqa: S105 - not a secret
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]

DATABASES: dict[str, Any]
if env.text("SQ_TEST_DATABASE_URL", ""):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            **env.database("SQ_TEST_DATABASE_URL", "SQ_TEST_DATABASE_PASSWORD"),
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": HOME.database,
            "OPTIONS": SQLITE_OPTIONS
            | {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"},
            # A file, as in production: in memory, two threads meet other locks than elsewhere.
            "TEST": {"NAME": HOME.path / "test.sqlite3"},
        }
    }

MEDIA_ROOT = HOME.media
STATIC_ROOT = HOME.static
STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = env.text("SQ_TEST_BROKER_URL", "memory://")
