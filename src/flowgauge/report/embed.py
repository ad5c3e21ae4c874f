"""JSON that can stand inside an HTML page whatever its texts say.

Texts are written by models. `<`, `>`, `&`, U+2028 and U+2029 go in as JSON escapes, so no text can
end the script block it stands in; half surrogates too, since UTF-8 has no form for them.
"""

import json
import re
from typing import Any

from markupsafe import Markup

_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def embed_json(value: Any) -> Markup:
    r"""JSON text for a `<script type="application/json">` block.

    Args:
        value: What JSON can hold; NaN and infinities are refused.

    Raises:
        ValueError: The value holds NaN or an infinity.

    Example:
        >>> print(embed_json({"text": "</script>"}))
        {"text":"\u003c/script\u003e"}
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(_UNSAFE.sub(_escape, text))
