"""Who may ask: right host, right origin, right token; and headers that keep answers at home.

A page on the web can make a visitor's browser send requests to a server on the visitor's machine.
Three things stop it: the Host header must name this server (against DNS rebinding), whatever
changes something must come from this origin (against forged requests), and no header lets another
origin read or frame an answer.
"""

import ipaddress
import re
import secrets
import socket
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowgauge.serve.answers import Refusal
from flowgauge.serve.settings import is_loopback

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_POLICY_OF_PAGES = "frame-ancestors 'self'"  # the rest stands in the pages
_POLICY_OF_DATA = "default-src 'none'; frame-ancestors 'self'"


class Guard:
    """ASGI middleware that lets in what may come in.

    Args:
        app: What follows.
        host: Address the server listens at.
        port: Port it listens at.
        token: What a request must carry; None for nothing.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, token: str | None) -> None:
        self.app, self.port, self.token = app, port, token
        self.names = allowed_names(host)
        self.takes_addresses = not is_loopback(host)
        # A name of its own for each port: cookies do not tell ports apart. What it holds is not
        # the token and ends with the server.
        self.cookie_name = f"flowgauge-{port}"
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, then go on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = _guarded(send)
        headers = Headers(scope=scope)
        try:
            host = self._check_host(headers.getlist("host"))
            self._check_origin(scope, headers, host)
            greeting = self._check_token(scope, headers)
        except Refusal as refusal:
            refusal.headers["Connection"] = "close"  # its body stays unread
            await refusal.answer()(scope, receive, send)
            return
        if greeting is not None:
            await greeting(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _check_host(self, values: list[str]) -> str:
        found = _HOST.fullmatch(values[0]) if len(values) == 1 else None
        if found is None:
            raise Refusal(
                400,
                "HostError",
                f"the Host header is {', '.join(values)[:80]!r}; one host with its port was needed",
            )
        name, port = found[1].lower(), int(found[2] or 80)
        is_known = name in self.names or (self.takes_addresses and _is_address(name))
        if not is_known or port != self.port:
            raise Refusal(
                421,
                "HostError",
                f"the Host header is {values[0][:80]!r}; this server answers to "
                f"{', '.join(f'{n}:{self.port}' for n in sorted(self.names))}",
            )
        return values[0].lower()

    def _check_origin(self, scope: Scope, headers: Headers, host: str) -> None:
        """What another site makes a browser send is refused; programs name no site."""
        is_change = scope["method"] not in _SAFE_METHODS
        if not is_change and not scope["path"].startswith("/api/"):
            return
        origins = headers.getlist("origin") if is_change else []
        site = headers.get("sec-fetch-site", "none")
        if any(o.lower() != f"http://{host}" for o in origins) or site not in (
            "none",
            "same-origin",
        ):
            raise Refusal(
                403,
                "OriginError",
                f"the request comes from {', '.join(origins)[:80] or site!r}; only pages of this "
                f"server, http://{host}, may ask that",
            )

    def _check_token(self, scope: Scope, headers: Headers) -> Response | None:
        """None if the request may go on; the answer to one that brings the token in its address."""
        if self.token is None:
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for key, value in query if key == "token"]
        if given and scope["method"] == "GET" and _is_same(given[0], self.token):
            rest = [(key, value) for key, value in query if key != "token"]
            return self._greeting(scope, rest)
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        is_bearer = scheme.lower() == "bearer" and _is_same(bearer.strip(), self.token)
        if is_bearer or _is_same(_cookie(headers, self.cookie_name), self._session):
            return None
        raise Refusal(
            401,
            "TokenError",
            "the request carries no token, or another; the header Authorization: Bearer TOKEN was "
            "needed, or once ?token=TOKEN in the address of the page",
            {"WWW-Authenticate": "Bearer"},
        )

    def _greeting(self, scope: Scope, query: list[tuple[str, str]]) -> Response:
        """To the same address without the token, with a cookie in its place."""
        path = scope.get("raw_path", b"/").decode("latin-1")
        path = "/" + path.lstrip("/\\")  # two slashes would begin the name of another host
        response = Response(
            status_code=303, headers={"Location": path + (f"?{urlencode(query)}" if query else "")}
        )
        response.set_cookie(self.cookie_name, self._session, httponly=True, samesite="strict")
        return response


def allowed_names(host: str) -> frozenset[str]:
    """Names that the Host header may have for a server that listens at `host`.

    Example:
        >>> sorted(allowed_names("127.0.0.1"))
        ['127.0.0.1', '[::1]', 'localhost']
    """
    names = {"127.0.0.1", "localhost", "[::1]"}
    if not is_loopback(host):
        names.add(socket.gethostname().lower())
    if host not in ("0.0.0.0", "::"):
        names.add(f"[{host}]" if ":" in host else host.lower())
    return frozenset(names)


def _is_address(name: str) -> bool:
    """Numbers cannot be rebound to another machine, as names can."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8"), wanted.encode("utf-8"))


def _cookie(headers: Headers, name: str) -> str:
    pairs = (p.strip().partition("=") for v in headers.getlist("cookie") for p in v.split(";"))
    return next((value for key, _, value in pairs if key == name), "")


def _guarded(send: Send) -> Send:
    """Adds the headers that keep an answer at home."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            is_page = headers.get("content-type", "").startswith("text/html")
            headers["Content-Security-Policy"] = _POLICY_OF_PAGES if is_page else _POLICY_OF_DATA
        await send(message)

    return with_headers
