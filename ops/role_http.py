"""Metrics and health of a role over HTTP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from schemas.codec import JSON, encode
from schemas.errors import EnvironmentProblem
from schemas.settings import HttpSettings
from schemas.status import RoleReport

log = logging.getLogger(__name__)

Page = dict[str, object]

_SLOW_CLIENT_S = 10.0
_STATUS = {200: "200 OK", 404: "404 Not Found", 405: "405 Method Not Allowed"}
_UNAVAILABLE = "503 Service Unavailable"


class RoleHttp:
    """Serves until closed, by threads of its own: it answers also while the role is stuck.

    - `/metrics`: of Prometheus, as OpenMetrics where that is asked for.
    - `/healthz`: 200 when the role's loop has turned within `alive_within_s`, else 503. A role
      that has not begun to turn yet, as while it waits for Kafka, is alive.
    - `/readyz`: 200 when the role does its work and has caught up, else 503 with the reason.

    Raises EnvironmentProblem when the port is taken.
    """

    def __init__(
        self,
        settings: HttpSettings,
        registry: CollectorRegistry,
        report: Callable[[], RoleReport],
    ) -> None:
        app = role_app(registry, report, settings.alive_within_s)
        try:
            self._server = make_server(
                settings.host, settings.port, app, server_class=_Server, handler_class=_Quiet
            )
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            msg = (
                f"a role's HTTP needs a free port: {where}: {error.strerror}; set http.port to "
                "another, to 0 for any free one, or http.enabled to false"
            )
            raise EnvironmentProblem(msg) from error
        self.address = f"{settings.host}:{self._server.server_port}"
        """host:port"""
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="http", kwargs={"poll_interval": 0.1}
        )
        self._thread.daemon = True
        self._thread.start()
        log.info("http=listening address=%s", self.address)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def role_app(
    registry: CollectorRegistry, report: Callable[[], RoleReport], alive_within_s: float
) -> WSGIApplication:
    """The three pages as a WSGI application."""
    metrics: Any = make_wsgi_app(registry)

    def answer(path: str) -> tuple[str, Page]:
        if path == "/healthz":
            idle_s = report().idle_s
            alive = idle_s <= alive_within_s
            times = {"idle_s": round(idle_s, 3), "alive_within_s": alive_within_s}
            return (_STATUS[200] if alive else _UNAVAILABLE), {"alive": alive, **times}
        if path == "/readyz":
            ready, reason, *_ = report()
            return (_STATUS[200] if ready else _UNAVAILABLE), {"ready": ready, "reason": reason}
        return _STATUS[404], {"error": f"no page {path}", "pages": list(_PAGES)}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            body: Page = {"error": "pages are read by GET", "pages": list(_PAGES)}
            status = _STATUS[405]
        elif path == "/metrics":
            found: Iterable[bytes] = metrics(environ, start_response)
            return found
        else:
            status, body = answer(path)
        start_response(status, [("Content-Type", JSON), ("Cache-Control", "no-store")])
        return [encode(body, JSON) + b"\n"]

    return app


_PAGES = ("/metrics", "/healthz", "/readyz")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Without asking a name server for our own name, which may take seconds."""
        self.socket.bind(self.server_address)
        self.server_address = host, port, *_ = self.socket.getsockname()
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    timeout = _SLOW_CLIENT_S

    def log_message(self, format: str, *args: object) -> None:
        """No line for each scrape."""

    def address_string(self) -> str:
        """The number; its name may take a name server seconds."""
        return str(self.client_address[0])
