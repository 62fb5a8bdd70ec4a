"""How gunicorn serves SQCore: `gunicorn -c python:sqcore.project.web --bind ADDRESS`."""

import os
from datetime import datetime, timedelta
from typing import Any

from django.urls import get_resolver
from gunicorn.glogging import Logger

from sqcore.project.logs import RESPONDENTS
from sqcore.project.tether import die_with_parent

QUIET = ("/static/", "/healthz", "/readyz", "/favicon.ico")


class TerseLogger(Logger):  # type: ignore[misc]  # gunicorn is not annotated
    """One short line a request, without addresses of people and without query strings.

    Of a respondent's request it names neither the link nor the moment.
    """

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        path = environ.get("PATH_INFO", "")
        if path.startswith(QUIET):
            return
        at = datetime.now().astimezone().isoformat(timespec="seconds")
        if path.startswith(RESPONDENTS):
            at, path = at[:10], f"{path[:3]}…"
        status = resp.status.split(" ")[0]
        spent = round(request_time.total_seconds() * 1000)
        self.access_log.info(
            "%s %s %s %s %d ms", at, environ.get("REQUEST_METHOD"), path, status, spent
        )


def post_fork(server: Any, worker: Any) -> None:
    """A killed master takes its workers along; they would go on holding the port."""
    die_with_parent()


def when_ready(server: Any) -> None:
    """Import every page once, before the workers are forked: they share it."""
    list(get_resolver().url_patterns)


wsgi_app = "sqcore.project.wsgi"
preload_app = True
worker_class = "gthread"
workers = min(2, os.cpu_count() or 1)
threads = 4
timeout = 60
graceful_timeout = 5
keepalive = 5
max_requests = 20_000
max_requests_jitter = 2_000
limit_request_line = 4094
# Which proxies are believed is said once, by SQ_PROXIES.
secure_scheme_headers: dict[str, str] = {}
control_socket_disable = True
logger_class = TerseLogger
accesslog = "-"
access_log_format = "%(m)s"
errorlog = "-"
loglevel = "warning"
