"""How the server is run: where it listens, who may ask, how much of everything it takes."""

import ipaddress
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flowgauge.errors import SettingsError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8765
#: What a token may look like: it stands in headers and addresses as it is.
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the server takes from its clients before it says no.

    Args:
        body_bytes: Longest body of a request [bytes].
        body_seconds: Longest time for a body to come in [s].
        header_seconds: Longest time for the headers of a request to come in [s].
        send_seconds: Longest time for a client to take in a piece of an answer [s].
        connections: Most connections open at once.
        waiting: Most jobs that wait for the model.
        at_once: Most texts written in turns, a token each; measurements come in between.
        max_tokens: Longest text to write [tokens].
        unread_seconds: A job that nobody reads for so long is cancelled [s].
        kept_jobs: Most finished jobs whose events can still be read.
        kept_seconds: How long these are kept [s].
        kept_bytes: Most memory for their events [bytes].
        heartbeat_seconds: A silent stream gets a comment this often [s].

    Example:
        >>> Limits(waiting=0)
        Traceback (most recent call last):
        ...
        flowgauge.errors.SettingsError: waiting is 0, more than 0 was needed
    """

    body_bytes: int = 2_000_000
    body_seconds: float = 10.0
    header_seconds: float = 10.0
    send_seconds: float = 30.0
    connections: int = 256
    waiting: int = 64
    at_once: int = 3
    max_tokens: int = 2048
    unread_seconds: float = 60.0
    kept_jobs: int = 100
    kept_seconds: float = 600.0
    kept_bytes: int = 32_000_000
    heartbeat_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not value > 0:
                raise SettingsError(f"{name} is {value}, more than 0 was needed")

    def as_json(self) -> dict[str, Any]:
        """For the page, which can then say no before it asks."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Where the server listens, who may ask and where its runs live.

    Args:
        runs: Folder of the saved runs.
        host: Address to listen at. Any but this machine's own loopback needs a token.
        port: Port; 0 for any free one.
        token: What a request must carry; None for no question asked (loopback alone).
        limits: How much it takes.

    Raises:
        SettingsError: The port is none, the token is too short or cannot stand in an address, or
            another host than the loopback goes without one.

    Example:
        >>> ServeSettings(host="0.0.0.0")
        Traceback (most recent call last):
        ...
        flowgauge.errors.SettingsError: the host 0.0.0.0 can be reached from other machines, so a
        token is needed: pass --token (16 or more letters, digits or ._~-), or leave --host out
    """

    runs: Path = Path("runs")
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    token: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"the port is {self.port}, a number from 0 to 65535 was needed")
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise SettingsError(
                f"the token has {len(self.token)} characters; 16 to 200 letters, digits or ._~- "
                "were needed, e.g. from: python -c 'import secrets; print(secrets.token_hex(16))'"
            )
        if self.token is None and not is_loopback(self.host):
            raise SettingsError(
                f"the host {self.host} can be reached from other machines, so a token is needed: "
                "pass --token (16 or more letters, digits or ._~-), or leave --host out"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address.

    Example:
        >>> [is_loopback(h) for h in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "example.org")]
        [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
