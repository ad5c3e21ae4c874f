"""The page of the server: template, the report's style and scripts, and this page's own.

The functions that draw texts, curves and numbers are the report's, so that both show the same. What
the page knows else it asks from the server it came from; its policy lets nothing else be asked.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from flowgauge.report.assets import (
    DRAWING_SCRIPTS,
    join_script,
    page_template,
    policy_hash,
    read_static,
)
from flowgauge.report.embed import embed_json

_HERE = "flowgauge.serve"

#: Parts of this page alone, which run after them.
OWN_SCRIPTS = (
    "api.js",
    "address.js",
    "stage.js",
    "form.js",
    "monitors.js",
    "livetext.js",
    "livecurve.js",
    "runs.js",
    "live.js",
    "measure.js",
    "compare.js",
    "app.js",
)

#: Demo records that stand behind "Try an example": file and the most of its rows.
_EXAMPLES = (("ragtruth_qa_12.jsonl", 3), ("stories_12.jsonl", 3))


@cache
def page() -> str:
    """The page as HTML, from its doctype on; the same for every request.

    Example:
        >>> page().startswith("<!doctype html>")
        True
    """
    style = Markup(read_static("page.css") + read_static("app.css", _HERE))
    script = join_script(
        [read_static(name) for name in DRAWING_SCRIPTS]
        + [read_static(name, _HERE) for name in OWN_SCRIPTS]
    )
    return page_template(read_static("app.html", _HERE)).render(
        style=style,
        script=script,
        policy=Markup(_policy(style, script)),
        examples=embed_json(examples()),
    )


def _policy(style: str, script: str) -> str:
    """This script and this style run, this server is asked, nothing else."""
    return (
        f"default-src 'none'; style-src '{policy_hash(style)}'; "
        f"script-src '{policy_hash(script)}'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'"
    )


def examples() -> list[dict[str, Any]]:
    """Real answers to try, from the demo's records: question, documents, response.

    Example:
        >>> [sorted(example) for example in examples()][0]
        ['documents', 'question', 'response']
    """
    found = []
    for name, most in _EXAMPLES:
        text = (files("flowgauge") / "data" / "demo" / name).read_text(encoding="utf-8")
        for row in map(json.loads, text.splitlines()[:most]):
            found.append(
                {
                    "question": row.get("question") or row["prompt"],
                    "documents": row.get("documents"),
                    "response": row["response"],
                }
            )
    return found
