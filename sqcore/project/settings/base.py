"""What every way of running SQCore shares."""

from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from csp.constants import NONE, SELF

from sqcore.project.env import read_environment
from sqcore.project.schedule import beat_schedule

# Lets classes of Django name what they hold, as in ModelAdmin[Unit].
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parents[3]
env = read_environment(BASE_DIR)
MODE = env.choice("SQ_MODE", "embedded", ("embedded", "server"))

# ---- The parts -----------------------------------------------------------------------------------
INSTALLED_APPS = [
    "sqcore",
    "surveys",
    "training",
    "improvement",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "sqcore.project.static.StaticConfig",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "axes",
]

MIDDLEWARE = [
    "sqcore.project.edge.ClientAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "sqcore.project.edge.NoStoreMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "sqcore.project.middleware.PrincipalMiddleware",
    "sqcore.project.middleware.RefusalMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "sqcore.project.urls"
WSGI_APPLICATION = "sqcore.project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"shell": "sqcore.dashboards.tags"},
        },
    },
]

# ---- Where it is reached -------------------------------------------------------------------------
DEFAULT_BASE_URL = "http://127.0.0.1:8000"
BASE_URL = env.address("SQ_BASE_URL", ("http", "https"), DEFAULT_BASE_URL).rstrip("/")
"""The address in links that leave the house: QR codes, invitations, e-mail."""
CSRF_TRUSTED_ORIGINS = [f"{urlsplit(BASE_URL).scheme}://{urlsplit(BASE_URL).netloc}"]
PROXIES = env.number("SQ_PROXIES", 0, most=5)
"""How many proxies of one's own stand before the web server; their headers are believed."""

# ---- Language and time ---------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
FORMAT_MODULE_PATH = ["sqcore.project.formats"]
LOCALE_PATHS = [BASE_DIR / "locale"]

# ---- Data ----------------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SQLITE_OPTIONS = {
    # IMMEDIATE takes the write lock at the start of a transaction: without it, two that read and
    # then write meet as "database is locked", whatever the timeout.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
DATA_UPLOAD_MAX_NUMBER_FILES = 5
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# ---- Static files --------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS: list[Any] = [BASE_DIR / "static", ("plotly", files("plotly") / "package_data")]
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["map", "png", "jpg", "webp", "ico", "woff2", "gz", "br"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "sqcore.project.static.StaticStorage",
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}

# ---- People --------------------------------------------------------------------------------------
AUTH_USER_MODEL = "sqcore.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator")
] + [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    }
]
PASSWORD_RESET_TIMEOUT = 3600
LOGIN_URL = "sqcore:identity-login"
LOGIN_REDIRECT_URL = "sqcore:home"
LOGOUT_REDIRECT_URL = "sqcore:identity-login"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True

# Ten tries a minute for one account from one address; both together, so that nobody can lock a
# colleague out from elsewhere.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 1 / 60
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_TEMPLATE = "sqcore/identity/locked.html"
AXES_VERBOSE = False

# ---- What browsers are told ----------------------------------------------------------------------
EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""Plotly adds an empty <style> and fills it through the CSSOM; this is the hash of nothing."""
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF, EMPTY_STYLE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    },
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# ---- REST ----------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "sqcore.access.authentication.TokenAuthentication",
        "sqcore.access.authentication.PersonAuthentication",
    ],
    # Views stand on `sqcore.identity.api.ApiView`; one that does not is for administrators.
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["sqcore.base.api.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["sqcore.base.api.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "sqcore.base.api.OneForm",
    "EXCEPTION_HANDLER": "sqcore.access.authentication.exception_handler",
    "COERCE_DECIMAL_TO_STRING": False,
}
API_LIMITS = {"read": 1200, "write": 1200, "refused": 60}
"""Requests a minute: of one token or person, and with wrong tokens from one address."""
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "SQCore",
    "VERSION": "1",
    "DESCRIPTION": "Service quality: the organisation, indicators, KPI series, evaluation runs, "
    "and answers in. See the guide for clients in `docs/howto/rest-client.md`.",
    "LICENSE": {"name": "Apache-2.0"},
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "Grain": "sqcore.base.periods.Grain",
        "AnalysisGrain": "surveys.analyses.wording.GRAINS",
        "PopulationMargin": "surveys.representation.serializers.MARGIN_CHOICES",
        "ComparatorKind": "sqcore.comparators.models.Comparator.Kind",
        "SignalDirection": "sqcore.monitoring.models.Signal.Direction",
        "Side": "sqcore.monitoring.serializers.SIDES",
        "FigureKind": "sqcore.evaluation.models.KpiValue.Kind",
        "RunState": "sqcore.evaluation.models.EvaluationRun.State",
        "SystemVersionState": "sqcore.indicators.models.SystemVersion.State",
        "EquipmentState": "sqcore.measurements.models.EquipmentState.State",
        "MeasureKind": "sqcore.measurements.models.Measure.Kind",
        "CampaignMode": "surveys.campaigns.models.Campaign.Mode",
        "CampaignState": "surveys.campaigns.models.Campaign.State",
        "ChartKind": "sqcore.monitoring.models.Kind",
        "AnnotationKind": "sqcore.monitoring.models.Annotation.Kind",
        "MethodStatus": "sqcore.monitoring.serializers.METHOD_STATUSES",
        "EarlyWarningState": "sqcore.monitoring.models.EarlyWarning.State",
        "SignalState": "sqcore.monitoring.models.Signal.State",
        "TicketState": "improvement.tickets.models.State",
        "TicketPhase": "improvement.tickets.models.Phase",
        "TicketVerdict": "improvement.verification.models.Verdict",
        "AttemptKind": "training.enrolments.models.Attempt.Kind",
        "CourseMode": "training.courses.models.Mode",
        "EnrolmentState": "training.enrolments.models.Enrolment.State",
        "EvidenceKind": "training.competencies.models.Evidence.Kind",
        "NeedState": "training.needs.models.Need.State",
        "ObligationState": "training.requirements.models.Obligation.State",
        "ProposalState": "training.incentives.models.Proposal.State",
        "SchemeKind": "training.incentives.models.Scheme.Kind",
        "SchemeState": "training.incentives.models.Scheme.State",
        "SessionState": "training.courses.models.Session.State",
        "StudyState": "training.effect.models.Study.State",
    },
}

# ---- Work in the background ----------------------------------------------------------------------
# The database is the truth, a message only says "look at row N": no result is kept, a task may run
# twice, and what a broker loses the sweepers find.
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_DEFAULT_QUEUE = "sqcore"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = beat_schedule()
CELERY_BEAT_MAX_LOOP_INTERVAL = 5

# ---- E-mail --------------------------------------------------------------------------------------
EMAIL_HOST = env.text("SQ_EMAIL_HOST", "")
EMAIL_PORT = env.number("SQ_EMAIL_PORT", 587, least=1, most=65535)
EMAIL_HOST_USER = env.text("SQ_EMAIL_USER", "")
EMAIL_HOST_PASSWORD = env.text("SQ_EMAIL_PASSWORD", "")
EMAIL_USE_TLS = (
    env.choice("SQ_EMAIL_SECURITY", "starttls", ("starttls", "tls", "none")) == "starttls"
)
EMAIL_USE_SSL = env.text("SQ_EMAIL_SECURITY", "starttls") == "tls"
EMAIL_TIMEOUT = 20
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("SQ_EMAIL_FROM", "SQCore <sqcore@localhost>")

# ---- Log -----------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
    },
    "filters": {"hide_links": {"()": "sqcore.project.logs.HideLinks"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["hide_links"],
        },
    },
    "root": {
        "handlers": ["stderr"],
        "level": env.choice("SQ_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
    },
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # A line for each ring of the clock says nothing; failures are errors and stay.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
    },
}
