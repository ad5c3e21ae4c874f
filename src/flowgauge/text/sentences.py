"""Sentences of a response as character spans that cover it without gap or overlap."""

from flowgauge.errors import AlignmentError


def sentence_spans(text: str, language: str = "en") -> list[tuple[int, int]]:
    r"""Character spans (start, end) of the sentences, in order.

    The spans partition the text: white space after a sentence belongs to it, white space at the
    very start to the first one. Segmentation is sentencex's; it is a rule, not a truth: a list
    item counts as a sentence.

    Args:
        text: Any text; an empty one has no sentences.
        language: ISO 639 code handed to sentencex.

    Returns:
        Spans with `start < end`; the first starts at 0, the last ends at `len(text)`.

    Raises:
        AlignmentError: The segmenter changed the text, so its spans would be wrong.

    Example:
        >>> sentence_spans("It is 3.5 metres. She left!\n\nWhy?")
        [(0, 18), (18, 29), (29, 33)]
    """
    if not text:
        return []
    from sentencex import segment

    pieces = segment(language, text)
    if "".join(pieces) != text:
        raise AlignmentError(
            f"the sentence segmenter returned {sum(map(len, pieces))} characters for a text of "
            f"{len(text)}; please report this text"
        )
    spans: list[tuple[int, int]] = []
    start = position = 0
    for piece in pieces:
        position += len(piece)
        if piece.strip():
            spans.append((start, position))
            start = position
        elif spans:  # a paragraph break belongs to the sentence before it
            spans[-1] = (spans[-1][0], position)
            start = position
    if not spans:
        return [(0, len(text))]
    return spans
