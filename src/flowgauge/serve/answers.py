"""Answers of the server: JSON, and one form for everything that goes wrong.

{"error": {"kind": "RecordError", "message": "the response is empty, so …"}}
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from flowgauge.serve.stream import to_json


class Refusal(Exception):  # noqa: N818
    """An answer that says no: status, kind, words.

    Args:
        status: Of HTTP, 4xx or 5xx.
        kind: Class of the error, for programs.
        message: What came, what was needed, for people.
        headers: More headers of the answer.
    """

    def __init__(
        self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message
        self.headers = dict(headers or {})

    def answer(self) -> Response:
        """The answer to send."""
        return answer(error(self.kind, self.message), self.status, self.headers)


def error(kind: str, message: str) -> dict[str, Any]:
    """What went wrong, in the one form."""
    return {"error": {"kind": kind, "message": message}}


def answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(
        to_json(data), status, media_type="application/json", headers=dict(headers or {})
    )
