"""Support in words: what a run's manifest says of its support score, or why it has none.

Support says how well a text stands on its sources as the run's observer sees it. Below the
manifest's threshold a response or a sentence is called "unsupported"; nothing here judges truth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowgauge.report.digits import print_level

MISSING = (
    "it was measured without source pointers and without a support score; measure it again to have "
    "them"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportView:
    """What the page knows of the run's support.

    Attributes:
        threshold: Support below this calls a response "unsupported"; None where the run has none.
        sentence_threshold: The same of a sentence: a calibration speaks of responses alone.
        words: The run's own sentence on its support, "" for none.
        calibration: The sentence of the calibration on the user's labels, "" for none.
        missing: Why the run has no support; "" where it has.
    """

    threshold: float | None
    sentence_threshold: float | None
    words: str
    calibration: str
    missing: str


def support_view(manifest: Mapping[str, Any]) -> SupportView:
    """The manifest's entry `support`, or the reason why there is none.

    Example:
        >>> support_view({"support_missing": "mamba-130m has no attention"}).missing
        'mamba-130m has no attention'
        >>> support_view({"support": {"threshold": 0.4}}).threshold
        0.4
    """
    entry = manifest.get("support")
    if not isinstance(entry, Mapping):
        missing = str(manifest.get("support_missing") or MISSING)
        return SupportView(
            threshold=None, sentence_threshold=None, words="", calibration="", missing=missing
        )
    calibration = entry.get("calibration")
    said = calibration.get("words") if isinstance(calibration, Mapping) else None
    return SupportView(
        threshold=entry.get("threshold"),
        sentence_threshold=entry.get("sentence_threshold", entry.get("threshold")),
        words=str(entry.get("words") or ""),
        calibration=str(said or ""),
        missing="",
    )


def is_unsupported(support: float | None, threshold: float | None) -> bool:
    """Whether a support counts as unsupported; one that does not exist never does.

    Example:
        >>> [is_unsupported(support, 0.4) for support in (0.399, 0.4, None)]
        [True, False, False]
    """
    return support is not None and threshold is not None and support < threshold


def support_line(supports: Sequence[float | None], threshold: float | None) -> str:
    """How many responses are unsupported, as a sentence; "" where no response has a support.

    Example:
        >>> support_line([0.2, 0.7, None], 0.45)
        '1 of 2 responses is unsupported (support below 0.45); 1 has no support.'
    """
    known = [support for support in supports if support is not None]
    if not known or threshold is None:
        return ""
    low = sum(is_unsupported(support, threshold) for support in known)
    below = f"(support below {print_level(threshold)})"
    without = len(supports) - len(known)
    rest = f"; {without:,} {'has' if without == 1 else 'have'} no support" if without else ""
    if len(known) == 1:
        return f"The response is {f'unsupported {below}' if low else 'supported'}{rest}."
    if not low:
        return f"None of {len(known):,} responses is unsupported {below}{rest}."
    verb = "is" if low == 1 else "are"
    return f"{low:,} of {len(known):,} responses {verb} unsupported {below}{rest}."
