import xml.etree.ElementTree as ET

import numpy as np
import pytest

from flowgauge.support import measure_reliability, reliability_diagram

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def seen(rng):
    x = rng.random(200)
    return measure_reliability(x, rng.random(200) < x)


def test_a_dot_for_each_bin_where_its_numbers_are(seen):
    root = ET.fromstring(reliability_diagram(seen))
    dots = list(root.iter(f"{SVG}circle"))
    intervals = [e for e in root.iter(f"{SVG}line") if e.get("class") == "interval"]
    assert len(dots) == len(intervals) == len(seen.bins) >= 5
    agree = next(e for e in root.iter(f"{SVG}line") if e.get("class") == "agree")
    x0, y0, x1, y1 = (float(agree.get(k)) for k in ("x1", "y1", "x2", "y2"))
    for b, dot, line in zip(seen.bins, dots, intervals, strict=True):
        # Coordinates are written with one decimal.
        assert float(dot.get("cx")) == pytest.approx(x0 + b.predicted * (x1 - x0), abs=0.051)
        assert float(dot.get("cy")) == pytest.approx(y0 + b.observed.share * (y1 - y0), abs=0.051)
        assert float(line.get("y1")) == pytest.approx(y0 + b.observed.lower * (y1 - y0), abs=0.051)
        assert float(line.get("y2")) == pytest.approx(y0 + b.observed.upper * (y1 - y0), abs=0.051)
    sizes = [float(d.get("r")) for d in dots]
    most = np.argmax([b.observed.n for b in seen.bins])
    assert sizes[most] == max(sizes)


def test_it_is_described_in_words_and_stands_alone(seen):
    picture = reliability_diagram(seen, title="Mine")
    root = ET.fromstring(picture)
    assert root.find(f"{SVG}title").text == "Mine"
    first = seen.bins[0]
    assert root.find(f"{SVG}desc").text.startswith(
        f"Predicted {100 * first.predicted:.1f} %, observed {100 * first.observed.share:.1f} % "
        f"({first.observed.count} of {first.observed.n}, interval "
    )
    assert root.get("role") == "img"
    for outside in ("href", "url(", "<script", "@import"):
        assert outside not in picture
    assert picture.count("http") == 1  # the name space


def test_a_hostile_title_is_text(seen):
    picture = reliability_diagram(seen, title='</title><script>alert("1")</script>\x00\x9b & "q')
    root = ET.fromstring(picture)
    assert [e.tag for e in root.iter() if "script" in e.tag] == []
    assert root.find(f"{SVG}title").text.startswith("</title><script>")
    assert not any(c < " " and c != "\n" for c in picture)
    assert "\x9b" not in picture
