"""What a page needs of a run: three members, so that tests can pass a plain object.

`flowgauge.store.Run` is one. Tables hold the columns of flowgauge.store.schema.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import pyarrow as pa


class RunView(Protocol):
    """A run as the report sees it."""

    @property
    def name(self) -> str:
        """Name of the run."""
        ...

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Where the numbers come from: model, settings, input, versions, counts."""
        ...

    def table(self, name: str) -> pa.Table:
        """One of the tables `records`, `tokens`, `sentences`."""
        ...
