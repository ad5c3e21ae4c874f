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
    """Spread of the mean of the standardised parts over tokens, sentences and responses."""

    tokens: Spread
    sentences: Spread
    responses: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Spread of each part over tokens; `pointer` is None without copy heads."""

    fraction: Spread
    copied: Spread
    pointer: Spread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """The constants of one observer.

    Attributes:
        parts: Of each part of support.
        with_pointer: Of the mean of all parts; None without copy heads.
        without_pointer: Of the mean of the parts that need no copy heads.
        text: Which unlabelled text they come from.
    """

    parts: Parts
    with_pointer: Levels | None
    without_pointer: Levels
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
        parts, both = data["parts"], data["with_pointer"]
        return Constants(
            parts=Parts(
                fraction=Spread(**parts["fraction"]),
                copied=Spread(**parts["copied"]),
                pointer=Spread(**parts["pointer"]) if parts["pointer"] else None,
            ),
            with_pointer=levels(both) if both else None,
            without_pointer=levels(data["without_pointer"]),
            text=str(data["text"]),
        )
    except (KeyError, TypeError) as error:
        raise SettingsError(f"these are no constants of support: {error}") from error
