"""The page and its stream over HTTP: read-only, from this machine alone unless told otherwise."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from ipaddress import ip_address

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from ops.dashboard.history import History
from ops.dashboard.hub import Hub

_WRITE_S = 15.0
"""A viewer who takes nothing for so long is let go; its page connects again by itself."""
_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    hdrs.CACHE_CONTROL: "no-cache",
}


def make_app(hub: Hub, history: History, host: str) -> web.Application:
    """The application; `host` is the address that it will listen on."""
    app = web.Application(middlewares=[_only_known_hosts(host)])
    app.on_response_prepare.append(_add_headers)
    static = _static_files()

    async def file(request: web.Request) -> web.Response:
        name = request.match_info.get("name") or "index.html"
        body = static.get(name)
        if body is None:
            raise web.HTTPNotFound(text=f"no such file: {name}\n")
        kind = _TYPES[name.rpartition(".")[2]]
        answer = web.Response(body=body, content_type=kind, charset="utf-8")
        answer.enable_compression()
        return answer

    async def tell_history(_: web.Request) -> web.Response:
        answer = web.Response(body=history.encoded(), content_type="application/json")
        answer.enable_compression()
        return answer

    async def tell_snapshot(_: web.Request) -> web.Response:
        if hub.newest is None:
            raise web.HTTPServiceUnavailable(text="no snapshot yet; ask again in a second\n")
        return web.Response(body=hub.newest, content_type="application/json")

    async def stream(request: web.Request) -> web.StreamResponse:
        if hub.full:
            raise web.HTTPServiceUnavailable(text="too many viewers; close some pages\n")
        answer = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream"})
        await answer.prepare(request)
        await _send_news(answer, hub)
        return answer

    app.router.add_get("/", file)
    app.router.add_get("/static/{name:[a-z./-]+}", file)
    app.router.add_get("/api/history", tell_history)
    app.router.add_get("/api/snapshot", tell_snapshot)
    app.router.add_get("/api/stream", stream)
    return app


async def _send_news(answer: web.StreamResponse, hub: Hub) -> None:
    with hub.viewer() as viewer:
        try:
            while True:
                message, missed = await viewer.next()
                event = b"event: missed\ndata: %d\n\n" % missed if missed else b""
                async with asyncio.timeout(_WRITE_S):
                    await answer.write(event + b"data: " + message + b"\n\n")
        except (TimeoutError, ConnectionError):
            pass  # gone, or as good as gone


def _static_files() -> dict[str, bytes]:
    """Every file of the page by name, read once: there are few and they are small."""
    static = files("ops.dashboard") / "static"
    found = {}
    for folder, prefix in ((static, ""), (static / "vendor", "vendor/")):
        for entry in folder.iterdir():
            if entry.is_file() and entry.name.rpartition(".")[2] in _TYPES:
                found[prefix + entry.name.lower()] = entry.read_bytes()
    return found


def _only_known_hosts(listening: str) -> Middleware:
    """On loopback, refuse other host names: a foreign page could point its own name here."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _is_loopback(listening) and not _is_loopback(_name_of(request.host)):
            text = f"this page is served to this machine; not to {_name_of(request.host)!r}\n"
            raise web.HTTPForbidden(text=text)
        return await handler(request)

    return check


async def _add_headers(_: web.Request, answer: web.StreamResponse) -> None:
    answer.headers.update(_HEADERS)


def _name_of(host: str) -> str:
    """The host of a Host header, without port and brackets."""
    return host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
