"""For an organisation's servers: PostgreSQL, Redis or RabbitMQ, HTTPS, any number of processes."""

from typing import Any
from urllib.parse import urlsplit

from sqcore.project.env import BadSetting
from sqcore.project.home import Home
from sqcore.project.settings.base import *  # noqa: F403 - settings build on each other
from sqcore.project.settings.base import BASE_DIR, BASE_URL, PROXIES, env

HOME = Home(env.folder("SQ_HOME", BASE_DIR / "var" / "server"))
"""Files of the installation; on several machines its `media` is one shared folder."""
DEMO = False

SECRET_KEY = env.text("SQ_SECRET_KEY")
if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 10:
    raise BadSetting("SQ_SECRET_KEY", "must have 50 characters or more, drawn at random.")
ALLOWED_HOSTS = env.words("SQ_ALLOWED_HOSTS", urlsplit(env.text("SQ_BASE_URL")).hostname)

# ---- Data ----------------------------------------------------------------------------------------
database = env.database("SQ_DATABASE_URL", "SQ_DATABASE_PASSWORD")
seconds = env.number("SQ_DATABASE_TIMEOUT", 120, least=1, most=86400)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        **database,
        "OPTIONS": {
            "pool": {
                "min_size": 1,
                "max_size": env.number("SQ_DATABASE_CONNECTIONS", 10, least=1, most=1000),
                "timeout": 10,
            },
            "connect_timeout": "5",
            "options": f"-c statement_timeout={seconds}s"
            " -c idle_in_transaction_session_timeout=600s",
            **database["OPTIONS"],
        },
    }
}
MEDIA_ROOT = HOME.media
STATIC_ROOT = HOME.static

# ---- HTTPS ---------------------------------------------------------------------------------------
if not BASE_URL.startswith("https://"):
    raise BadSetting("SQ_BASE_URL", "must begin with https:// in server mode.")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PROXIES else None
SECURE_HSTS_SECONDS = env.number("SQ_HSTS_SECONDS", 365 * 86400, least=1)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
# Preloading binds a whole domain for years: its owner decides that, not one of its services.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrf"

# ---- Broker and cache ----------------------------------------------------------------------------
CELERY_BROKER_URL = env.address("SQ_BROKER_URL", ("redis", "rediss", "amqp", "amqps"))
redis = CELERY_BROKER_URL.startswith("redis")
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    # What a killed worker held comes back after this time, should the sweepers not find it first.
    {"visibility_timeout": 3600, "socket_timeout": 10, "socket_connect_timeout": 2}
    if redis
    else {"confirm_publish": True}
)
CELERY_BEAT_SCHEDULE_FILENAME = str(HOME.schedule)
cache_url = env.address(
    "SQ_CACHE_URL", ("redis", "rediss"), CELERY_BROKER_URL if redis else "redis://-"
)
CACHES = {
    # Without Redis every process keeps its own counts of requests, so that the limits of the API
    # hold for each process by itself.
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if cache_url == "redis://-"
    else {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": cache_url,
        "KEY_PREFIX": "sqcore",
    }
}

env.refuse_unknown()
HOME.make()
