"""What the user's cache knows of models that were used before, without loading them.

Copy heads are kept once a model is measured with pointers, constants of support once
`flowgauge constants` was run; both under the model's fingerprint and with its name.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowgauge.errors import SettingsError
from flowgauge.models.presets import cache_folder
from flowgauge.pipeline.constants import constants_file, has_preset_constants
from flowgauge.support import constants_from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """What is known of one model.

    Attributes:
        name: Its name.
        fingerprint: Its fingerprint; "" for a preset that was never measured here.
        copy_heads: How many copy heads it has; None when they were never looked for.
        best_induction_score: Of any of its heads, 0…1; None likewise.
        constants: Where its constants of support come from: "own", "preset", "borrowed", "damaged".
    """

    name: str
    fingerprint: str
    copy_heads: int | None
    best_induction_score: float | None
    constants: str

    @property
    def heads_words(self) -> str:
        """Its copy heads in words."""
        if self.copy_heads is None:
            return "copy heads: not looked for yet"
        some = {0: "no copy heads", 1: "1 copy head"}
        number = some.get(self.copy_heads, f"{self.copy_heads} copy heads")
        return f"{number}, best induction score {self.best_induction_score:.2f}"

    @property
    def constants_words(self) -> str:
        """Its constants of support in words."""
        return {
            "own": "constants of support: its own",
            "preset": "constants of support: come with flowgauge",
            "borrowed": "constants of support: borrowed (flowgauge constants RUN computes its own)",
            "damaged": "constants of support: damaged (run flowgauge constants RUN again)",
        }[self.constants]


def known_models() -> dict[str, KnownModel]:
    """Models that the cache knows, by name; of two with one name the one seen last."""
    out: dict[str, KnownModel] = {}
    for kind in ("support", "copy_heads"):  # what is said last stays
        for file, data in _objects(cache_folder() / kind):
            name = str(data.get("model") or "")
            if not name or (kind == "support" and not _is_sound(data)):
                continue
            heads, best = data.get("heads"), data.get("best")
            seen = isinstance(heads, list) and isinstance(best, int | float)
            out[name] = KnownModel(
                name=name,
                fingerprint=file.stem,
                copy_heads=len(heads) if seen and isinstance(heads, list) else None,
                best_induction_score=float(best) if seen and best is not None else None,
                constants=constants_of(name, file.stem),
            )
    return out


def constants_of(name: str, fingerprint: str = "") -> str:
    """Where a model's constants of support come from, in the order in which they are looked for."""
    file = constants_file(fingerprint) if fingerprint else None
    if file is not None and file.is_file():
        data = _read(file)
        return "own" if data is not None and _is_sound(data) else "damaged"
    return "preset" if has_preset_constants(name) else "borrowed"


def _objects(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Readable files of a folder, the newest last."""
    files = [f for f in folder.glob("*.json") if f.is_file()]
    for file in sorted(files, key=lambda f: (f.stat().st_mtime, f.name)):
        data = _read(file)
        if data is not None:
            yield file, data


def _read(file: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def _is_sound(data: dict[str, Any]) -> bool:
    try:
        constants_from_json(data)
    except SettingsError:
        return False
    return True
