"""flowgauge: where each token of a language model's text comes from, in nats.

    lm  = fg.load_model("smollm2-135m")
    run = fg.measure("answers.jsonl", lm)
    fg.decide(run["r1"].flow, alpha=0.01)
    for step in fg.generate("Who came?", lm): print(step.text, step.density)
    print(fg.support("Who came?", ["Ann came."], "Ann came. Bob did not."))

Names load when they are first used, so `import flowgauge` stays fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowgauge.anytime import decide as decide
    from flowgauge.live import generate as generate
    from flowgauge.models import TabularModel as TabularModel
    from flowgauge.models import load_model as load_model
    from flowgauge.pipeline.lensing import lens_of as lens_of
    from flowgauge.pipeline.measuring import measure as measure
    from flowgauge.pipeline.settings import Settings as Settings
    from flowgauge.pipeline.supported import support as support
    from flowgauge.records import Author as Author
    from flowgauge.records import Flow as Flow
    from flowgauge.records import Label as Label
    from flowgauge.records import Record as Record
    from flowgauge.records import Sampling as Sampling
    from flowgauge.records import Turn as Turn
    from flowgauge.records import Verdict as Verdict
    from flowgauge.report import render as render
    from flowgauge.store import Run as Run
    from flowgauge.store import open_run as open_run
    from flowgauge.text import ChatTemplate as ChatTemplate
    from flowgauge.text import PlainTemplate as PlainTemplate
    from flowgauge.text import parse_record as parse_record
    from flowgauge.text import read_records as read_records

__version__ = "0.1.0"

_HOME = {
    "Author": "records",
    "ChatTemplate": "text",
    "Flow": "records",
    "Label": "records",
    "PlainTemplate": "text",
    "Record": "records",
    "Run": "store",
    "Sampling": "records",
    "Settings": "pipeline",
    "TabularModel": "models",
    "Turn": "records",
    "Verdict": "records",
    "decide": "anytime",
    "generate": "live",
    "lens_of": "pipeline",
    "load_model": "models",
    "measure": "pipeline",
    "open_run": "store",
    "parse_record": "text",
    "read_records": "text",
    "render": "report",
    "support": "support",  # the package itself, which can be called
}

__all__ = [
    "Author",
    "ChatTemplate",
    "Flow",
    "Label",
    "PlainTemplate",
    "Record",
    "Run",
    "Sampling",
    "Settings",
    "TabularModel",
    "Turn",
    "Verdict",
    "decide",
    "generate",
    "lens_of",
    "load_model",
    "measure",
    "open_run",
    "parse_record",
    "read_records",
    "render",
    "support",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'flowgauge' has no attribute {name!r}")
    home = import_module(f"flowgauge.{_HOME[name]}")
    value = home if name == _HOME[name] else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
