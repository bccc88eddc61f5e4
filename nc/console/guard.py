"""Who may ask the console, and what every answer says to the browser.

The console acts with an operator's certificate, so a page of somebody else must not reach it: not
by another name of this machine (Host), not by a form or a script of another origin (Origin, a
header that such a page cannot set), and not without the cookie, which is given once, for the URL
that `ncadm console` prints. That URL is good for one time.
"""

from hmac import compare_digest
from importlib.resources import files
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nc.history.export.page_files import inline_source
from nc.secrets import Secrets

ACTION_HEADER: Final = "x-nc-console"
_SECRET_BYTES: Final = 32
_OPEN: Final = "/open/"
_READING: Final = frozenset({"GET", "HEAD"})

# The one script that is in the page itself: no file can tell that a file did not come.
AGAIN_SCRIPT: Final = (files("nc.console") / "page" / "again.js").read_text(encoding="utf-8")

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; "
    f"script-src 'self' {inline_source(AGAIN_SCRIPT)}; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

# The page itself goes on: a redirect from a link on another site would have no strict cookie.
_OPENED: Final = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
    "<title>Console</title>"
)
_USED: Final = (
    "This link has been used: it is good for one time. Go to the browser that it was opened in, or "
    "start ncadm console again.\n"
)
_NO_COOKIE: Final = (
    "Open the link that ncadm console has printed: it lets one browser in, and is good for one "
    "time.\n"
)


class Guard:
    """An ASGI application before another one, which only answers those who may ask.

    Args:
        app: the application.
        port: that the console listens on.
        secrets: gives the one-time secret and the cookie's.
    """

    def __init__(self, app: ASGIApp, port: int, secrets: Secrets) -> None:
        self._app = app
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._other_host = (
            f"The console answers to 127.0.0.1:{port} and localhost:{port} alone. A port that is "
            f"forwarded to it must have the same number: ssh -L {port}:127.0.0.1:{port} HOST; "
            "ncadm console --port N chooses another one.\n"
        )
        self._once: str | None = secrets.random_bytes(_SECRET_BYTES).hex()
        self._cookie = secrets.random_bytes(_SECRET_BYTES).hex()
        self._cookie_name = f"nc-console-{port}"
        self.url = f"http://127.0.0.1:{port}{_OPEN}{self._once}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered instead; None: this request may pass."""
        headers = Headers(scope=scope)
        if headers.get("host", "") not in self._hosts:
            return PlainTextResponse(self._other_host, 421)
        if scope["path"].startswith(_OPEN):
            return self._open(scope)
        held = cookie_parser(headers.get("cookie", "")).get(self._cookie_name, "")
        if not compare_digest(held.encode(), self._cookie.encode()):
            return PlainTextResponse(_NO_COOKIE, 401)
        if scope["method"] not in _READING and not self._is_own(headers):
            return PlainTextResponse("Only the console's own page may do this.\n", 403)
        return None

    def _open(self, scope: Scope) -> Response:
        given = scope["path"].removeprefix(_OPEN)
        if scope["method"] != "GET" or self._once is None:
            return PlainTextResponse(_USED, 403)
        if not compare_digest(given.encode(), self._once.encode()):
            return PlainTextResponse(_NO_COOKIE, 403)
        self._once = None
        response = HTMLResponse(_OPENED)
        response.set_cookie(self._cookie_name, self._cookie, httponly=True, samesite="strict")
        return response

    def _is_own(self, headers: Headers) -> bool:
        origin = headers.get("origin", "")
        is_same = headers.get("sec-fetch-site", "same-origin") == "same-origin"
        return ACTION_HEADER in headers and is_same and origin == f"http://{headers['host']}"
