"""Which constants of support an observer has: its own, its preset's, or borrowed ones.

Looked for in this order: the user's cache (`flowgauge constants RUN` puts them there), the preset
table that travels with flowgauge, the default preset's with a word that they are borrowed.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from flowgauge.errors import RunError, SettingsError
from flowgauge.models.presets import PRESETS, cache_folder
from flowgauge.models.protocol import LanguageModel
from flowgauge.store import Run
from flowgauge.support import Constants, ResponseColumns, constants_from_json, learn_constants

DEFAULT = "smollm2-135m"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownConstants:
    """Constants and where they come from, in words."""

    constants: Constants
    origin: str


def constants_for(lm: LanguageModel) -> KnownConstants:
    """The constants of support that `lm` is measured with."""
    file = constants_file(lm.fingerprint)
    if file.is_file():
        try:
            own = constants_from_json(json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, SettingsError) as error:
            raise SettingsError(
                f"{file} is damaged: {error}; remove it or run flowgauge constants again"
            ) from error
        return KnownConstants(constants=own, origin=f"own constants of {lm.name} ({own.text})")
    preset = _of_preset(lm.name)
    if preset is not None:
        return KnownConstants(constants=preset, origin=f"constants of {lm.name} ({preset.text})")
    borrowed = _of_preset(DEFAULT)
    if borrowed is None:
        raise SettingsError(f"the constants of {DEFAULT} are missing from this installation")
    return KnownConstants(
        constants=borrowed,
        origin=f"borrowed from {DEFAULT}, for {lm.name} has none of its own: measure a few dozen "
        "ordinary responses and run flowgauge constants RUN (no labels needed)",
    )


def constants_file(fingerprint: str) -> Path:
    """Where the user's cache keeps a model's constants."""
    return cache_folder() / "support" / f"{fingerprint}.json"


def _of_preset(name: str) -> Constants | None:
    if name not in PRESETS:
        return None
    file = files("flowgauge") / "data" / "support" / f"{name}.json"
    if not file.is_file():
        return None
    return constants_from_json(json.loads(file.read_text(encoding="utf-8")))


def has_preset_constants(name: str) -> bool:
    """Whether constants of support for a model of this name travel with flowgauge."""
    return _of_preset(name) is not None


def constants_of_run(run: Run, text: str = "") -> Constants:
    """Constants of the observer of a run from all its responses with a source; labels unseen.

    Args:
        run: A measured run of ordinary responses.
        text: What they are, in a few words; by default their number and the run's name.

    Raises:
        SettingsError: Fewer than 30 responses with a source, or another law than the model's own.
    """
    if run.manifest.get("law", "model") != "model":
        raise SettingsError(
            f"the run {run.name} was measured under the law {run.manifest['law']!r}; constants are "
            "kept for the model's own law: measure the responses again without --law"
        )
    rows = run.table("records").to_pylist()
    used = [r["id"] for r in rows if r["status"] == "measured" and r["source"] != "nothing"]
    columns = []
    for name in used:
        c = run[name].columns
        pointer = c["pointer"]
        columns.append(
            ResponseColumns(
                density=c["density_nats"],
                surprisal_q=-c["log_q_nats"],
                copied_words=c["copied_words"].astype(float),
                pointer=None if _is_null(pointer) else pointer,
                sentence=c["sentence"],
            )
        )
    return learn_constants(columns, text or f"{len(used)} responses of the run {run.name}")


def _is_null(column: Any) -> bool:
    import numpy as np

    return column.dtype == object or bool(np.isnan(column.astype(float)).any())


def keep_constants(run: Run, constants: Constants, out: Path | None = None) -> Path:
    """Store constants in the user's cache under the fingerprint of the run's observer.

    Raises:
        RunError: The run does not name its model.
    """
    model = run.manifest.get("model") or {}
    fingerprint = model.get("fingerprint")
    if not fingerprint:
        raise RunError(f"the run {run.name} does not name its model; measure it again")
    file = out or constants_file(fingerprint)
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(file.name + ".tmp")
    data = {"model": model.get("name"), **constants.as_json()}
    half.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    half.replace(file)
    return file
