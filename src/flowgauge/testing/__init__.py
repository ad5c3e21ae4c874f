"""`assert_supported`, for people's own tests of what their model answers from documents.

In pytest it is a fixture of the same name (plugin.py), which loads the observer once a session.
The observer is imported when the first answer is measured.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["assert_supported"]


def assert_supported(
    response: str,
    documents: "str | Sequence[str]",
    question: str = "",
    *,
    at_least: float | None = None,
    lm: Any = None,
) -> Any:
    """Whether a response is supported by its documents, as an observer model sees it.

    It passes no judgement on truth: a response that follows a wrong document is supported.

    Args:
        response: The answer.
        documents: One document or several.
        question: What was asked.
        at_least: Least support of the response, 0…1; by default 0.2, below which one in five
            ordinary responses lies.
        lm: The observer, from `flowgauge.load_model`; by default smollm2-135m, loaded once a
            process.

    Returns:
        What `flowgauge.support` found.

    Raises:
        AssertionError: Its support is below that; shows each unsupported sentence and what the
            sources say nearest.
        RecordError: Documents without text, an empty response, no strings.
        SettingsError: `at_least` is not between 0 and 1.

    Example:
        >>> from flowgauge.models import load_model
        >>> lm = load_model("stories-260k")
        >>> assert_supported("Tom had a cat.", "Tom had a cat.", lm=lm, at_least=0.0).is_supported
        True
    """
    __tracebackhide__ = True
    from dataclasses import replace

    from flowgauge.pipeline.findings import check_share
    from flowgauge.pipeline.supported import support

    check_share(at_least, "at_least")
    found = support(question, documents, response, lm=lm)
    least = found.threshold if at_least is None else at_least
    sentences = tuple(
        replace(s, is_supported=not (s.support is not None and s.support < least))
        for s in found.sentences
    )
    found = replace(found, threshold=least, sentences=sentences)
    if not found.is_supported:
        raise AssertionError(_message(found))
    return found


def _message(found: Any) -> str:
    from flowgauge.pipeline.findings import low_sentences, sentence_lines, shown_support

    lines = [
        "the response is unsupported: its support is "
        f"{shown_support(found.support, found.threshold)}, at least {found.threshold:.4g} was "
        f"needed (as {found.model} sees it)"
    ]
    for sentence in low_sentences(found.sentences):
        lines += sentence_lines(sentence, found.threshold)
    return "\n".join([*lines, f"support is made of: {found.words}"])
