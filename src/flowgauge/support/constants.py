"""Where ordinary text lies: the few constants of support, from unlabelled text.

They belong to an observer: those of the presets are kept here, those of any other model in the
user's cache (`flowgauge constants RUN` computes them). No label was used for them.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from flowgauge.errors import SettingsError
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean and standard deviation of one quantity on ordinary text."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and 0 < self.sd < np.inf):
            raise SettingsError(
                f"mean {self.mean} and standard deviation {self.sd}: a finite mean and a positive "
                "deviation were needed; take more, or more varied, unlabelled text"
            )

    def standardise(self, values: FloatArray) -> FloatArray:
        """How many deviations above the mean."""
        return (np.asarray(values, dtype=np.float64) - self.mean) / self.sd

    def share(self, values: FloatArray) -> FloatArray:
        """Share of ordinary text below each value, 0…1, in the normal approximation.

        Example:
            >>> Spread(mean=1.0, sd=2.0).share(np.array([1.0, 3.0])).round(3)
            array([0.5  , 0.841])
        """
        from scipy.special import ndtr

        return ndtr(self.standardise(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Spread of the summed parts over tokens, sentences and responses."""

    tokens: Spread
    sentences: Spread
    responses: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """The constants of one observer.

    Attributes:
        fraction: Of the local flow fraction, over tokens.
        pointer: Of the locally averaged pointer, over tokens; None without copy heads.
        with_pointer: Of both parts together; None without copy heads.
        alone: Of the local flow fraction alone.
        text: Which unlabelled text they come from.
    """

    fraction: Spread
    pointer: Spread | None
    with_pointer: Levels | None
    alone: Levels
    text: str

    def as_json(self) -> dict[str, Any]:
        """For manifests and the cache."""
        return asdict(self)


def constants_from_json(data: dict[str, Any]) -> Constants:
    """The inverse of `Constants.as_json`.

    Raises:
        SettingsError: Something is missing or no number.
    """

    def levels(d: dict[str, Any]) -> Levels:
        return Levels(**{k: Spread(**d[k]) for k in ("tokens", "sentences", "responses")})

    try:
        return Constants(
            fraction=Spread(**data["fraction"]),
            pointer=Spread(**data["pointer"]) if data["pointer"] else None,
            with_pointer=levels(data["with_pointer"]) if data["with_pointer"] else None,
            alone=levels(data["alone"]),
            text=str(data["text"]),
        )
    except (KeyError, TypeError) as error:
        raise SettingsError(f"these are no constants of support: {error}") from error
