"""What a run says about the support of each response, in one form for all doors.

The command line, the JUnit file, `fg.support` and the pytest plugin show findings; the numbers are
those of the run's tables, never computed again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowgauge.errors import RunError, SettingsError
from flowgauge.pipeline.nearest import POINTED, SourceSentence, nearest_by_words
from flowgauge.store import Run
from flowgauge.text.printable import printable

SUPPORTED, UNSUPPORTED = "✓", "⚠ unsupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceSupport:
    """How well one sentence of a response is supported, as the observer sees it.

    Attributes:
        text: The sentence.
        start, end: Its characters in the response.
        support: 0…1; None for a sentence in which no token begins.
        is_supported: Whether that reaches the threshold; a sentence without a support counts as
            supported, for nothing speaks against it.
        pointer: Mean mass of the copy heads, 0…1; None without copy heads.
        flow_fraction: Share of its surprise that the source explains; None without surprise.
        sources: Source sentences that the observer points at, best first; may be empty.
        nearest: The best of these, else the one with most words in common; None if no word is.
    """

    text: str
    start: int
    end: int
    support: float | None
    is_supported: bool
    pointer: float | None
    flow_fraction: float | None
    sources: tuple[SourceSentence, ...]
    nearest: SourceSentence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a run says about the support of one row of its input.

    Attributes:
        id: The record's id.
        row: Row of the input.
        support: 0…1; None where there is none.
        is_supported: Whether it reaches the threshold; False without a support.
        has_failed: Whether the row could not be measured.
        why_none: Why there is no support; "" where there is.
        sentences: Those below the threshold, or the least supported one if none is; empty for a
            supported response.
    """

    id: str
    row: int
    support: float | None
    is_supported: bool
    has_failed: bool
    why_none: str
    sentences: tuple[SentenceSupport, ...]


def check_share(value: float | None, name: str) -> None:
    """Whether a threshold lies between 0 and 1.

    Raises:
        SettingsError: It does not.
    """
    if value is not None and not 0 <= value <= 1:
        raise SettingsError(f"{name} is {value}, a support between 0 and 1 was needed")


def thresholds(run: Run) -> tuple[float, float]:
    """Below which support a response and a sentence of this run are called unsupported.

    They differ in a calibrated run: a calibration speaks of responses alone.

    Raises:
        RunError: The run tells of no support.
    """
    entry = run.manifest.get("support")
    if not isinstance(entry, Mapping) or entry.get("threshold") is None:
        raise RunError(
            f"the run {run.name} has no support; measure it again with this version of flowgauge"
        )
    of_response = float(entry["threshold"])
    return of_response, float(entry.get("sentence_threshold", of_response))


def findings(run: Run, at_least: float | None = None) -> list[Finding]:
    """One finding for each row of the input, in its order.

    Args:
        run: A run with support.
        at_least: Threshold for responses and sentences; by default the run's own.

    Raises:
        SettingsError: `at_least` is not between 0 and 1.
        RunError: The run tells of no support.
    """
    check_share(at_least, "at_least")
    of_response, of_sentence = thresholds(run) if at_least is None else (at_least, at_least)
    sentences: dict[int, list[Mapping[str, Any]]] = {}
    for s in run.table("sentences").to_pylist():
        sentences.setdefault(s["row"], []).append(s)
    out = []
    for r in run.table("records").to_pylist():
        low = r["support"] is not None and r["support"] < of_response
        found: tuple[SentenceSupport, ...] = ()
        if low:
            found = low_sentences(sentence_supports(r, sentences.get(r["row"], ()), of_sentence))
        out.append(
            Finding(
                id=r["id"],
                row=r["row"],
                support=r["support"],
                is_supported=r["support"] is not None and not low,
                has_failed=r["status"] == "failed",
                why_none=why_no_support(r),
                sentences=found,
            )
        )
    return out


def why_no_support(record: Mapping[str, Any]) -> str:
    """Why a row of the records table has no support; "" if it has."""
    if record["support"] is not None:
        return ""
    if record["status"] == "failed":
        return f"it could not be measured: {record['kind']}: {record['reason']}"
    if record["source"] == "nothing":
        return "it has no source: its documents hold no text, and it has no prompt in their place"
    if not record["n_tokens"]:
        return "none of its tokens could be scored"
    return "the run was measured without support; measure it again"


def sentence_supports(
    record: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], threshold: float
) -> tuple[SentenceSupport, ...]:
    """The sentences of one record with what the sources say nearest.

    Args:
        record: Its row of the records table.
        rows: Its rows of the sentences table.
        threshold: Support below this is unsupported.
    """
    documents = record["documents"] or []
    out = []
    for s in rows:
        sources = tuple(
            SourceSentence(
                document=p["document"],
                start=p["start"],
                end=p["end"],
                text=documents[p["document"]][p["start"] : p["end"]],
                weight=p["weight"],
                found=POINTED,
            )
            for p in s["sources"] or ()
        )
        out.append(
            SentenceSupport(
                text=s["text"],
                start=s["start"],
                end=s["end"],
                support=s["support"],
                is_supported=not (s["support"] is not None and s["support"] < threshold),
                pointer=s["pointer"],
                flow_fraction=s["flow_fraction"],
                sources=sources,
                nearest=sources[0] if sources else nearest_by_words(s["text"], documents),
            )
        )
    return tuple(out)


def low_sentences(sentences: Sequence[SentenceSupport]) -> tuple[SentenceSupport, ...]:
    """The unsupported sentences in their order, or the least supported one if none is."""
    low = tuple(s for s in sentences if not s.is_supported)
    known = [s for s in sentences if s.support is not None]
    return low or tuple(sorted(known, key=lambda s: s.support or 0.0)[:1])


def shown_support(support: float, threshold: float) -> str:
    """A support with two digits, or as many as show on which side of the threshold it lies.

    Example:
        >>> shown_support(0.1234, 0.2), shown_support(0.1996, 0.2), shown_support(0.4996, 0.5)
        ('0.12', '0.1996', '0.4996')
    """
    digits = 2
    while support < threshold <= round(support, digits) and digits < 17:
        digits += 1
    return f"{support:.{digits}f}"


def sentence_lines(sentence: SentenceSupport, threshold: float) -> list[str]:
    """A sentence with sign, word, support and the nearest source, as lines for people."""
    sign = SUPPORTED if sentence.is_supported else UNSUPPORTED
    number = "no support" if sentence.support is None else shown_support(
        sentence.support, threshold
    )  # fmt: skip
    return [f"{sign} {number}: {printable(sentence.text)}", f"    {nearest_words(sentence)}"]


def nearest_words(sentence: SentenceSupport) -> str:
    """What the sources say nearest to a sentence, and how that was found."""
    near = sentence.nearest
    if near is None:
        return "no source sentence has a word in common with it"
    return f"nearest source, document {near.document} ({near.found}): {printable(near.text)}"
