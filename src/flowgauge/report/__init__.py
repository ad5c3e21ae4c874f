"""The report: a run as one self-contained page, with nothing computed anew.

`render` turns the three tables of a run and its manifest into HTML with style, script and data
inside; the page works from a file, without a network. Imports no model and no statistics.
"""

from flowgauge.report.render import render
from flowgauge.report.view import RunView

__all__ = ["RunView", "render"]
