"""Text that others wrote, made safe to show in a terminal or a log."""


def printable(text: str, width: int = 0) -> str:
    r"""`text` on one line without control characters, cut to `width` with an ellipsis.

    Args:
        text: Any text.
        width: Most characters; 0 for all.

    Example:
        >>> printable("two\nlines \x1b[31m", 8)
        'two lin…'
    """
    line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return line[: width - 1] + "…" if 0 < width < len(line) else line


def printable_lines(text: str) -> str:
    r"""`text` with its line breaks, every other control character replaced.

    Example:
        >>> printable_lines("two\nlines \x1b[31m")
        'two\nlines \ufffd[31m'
    """
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
