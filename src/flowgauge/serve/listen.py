"""The socket that the server listens at, taken before any long work begins."""

import socket

from flowgauge.errors import SettingsError
from flowgauge.serve.settings import ServeSettings


def bind(settings: ServeSettings) -> socket.socket:
    """A listening socket at the host and port of the settings.

    Raises:
        SettingsError: The port is taken, or the host is no address of this machine.
    """
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"the host {host} cannot be listened at: {error}") from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(256)
    except OSError as error:
        found.close()
        raise SettingsError(
            f"port {port} of {host} cannot be had: {error.strerror or error}; stop what uses it, "
            "choose another with --port, or take any free one with --port 0"
        ) from error
    return found


def address_of(settings: ServeSettings, sock: socket.socket) -> str:
    """Where a browser of this machine finds the server, e.g. http://127.0.0.1:8765."""
    port = sock.getsockname()[1]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
