"""What pages are put together from: template, style and script as text, and their hashes.

A page carries one style and one script, and its content security policy names their hashes. The
script is plain JavaScript: files joined in order inside one function, so that nothing leaks.
"""

import base64
import hashlib
from collections.abc import Iterable
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

#: Scripts that draw texts, curves and numbers, in the order they run in; every page has them.
DRAWING_SCRIPTS = (
    "dom.js",
    "numbers.js",
    "columns.js",
    "characters.js",
    "places.js",
    "state.js",
    "support.js",
    "response.js",
    "sources.js",
    "link.js",
    "choices.js",
    "panel.js",
    "plot.js",
    "curve.js",
    "sentences.js",
    "verdict.js",
    "reading.js",
    "theme.js",
)


def read_static(name: str, package: str = "flowgauge.report") -> str:
    """Text of a file in the folder static/ of a package.

    Example:
        >>> read_static("dom.js").startswith("// Elements and SVG shapes.")
        True
    """
    return (files(package) / "static" / name).read_text(encoding="utf-8")


def page_template(text: str) -> Template:
    """Jinja template with escaping on; a name that is not given is an error.

    Example:
        >>> page_template("<p>{{ text }}</p>").render(text="<b>")
        '<p>&lt;b&gt;</p>'
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text)


def join_script(parts: Iterable[str]) -> Markup:
    """The parts as one script, in their order, inside a function of their own.

    Example:
        >>> print(join_script(["const a = 1;", "let b = a;"]))
        (function () {
        "use strict";
        const a = 1;
        let b = a;
        })();
    """
    body = "\n".join(parts)
    return Markup(f'(function () {{\n"use strict";\n{body}\n}})();')


def policy_hash(text: str) -> str:
    """The text's hash as a content security policy writes it.

    Example:
        >>> policy_hash("")
        'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
