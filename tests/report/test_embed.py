import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.report.embed import embed_json

TEXTS = st.text(st.characters() | st.sampled_from("<>&\u2028\u2029/!-\ud800"))


@settings(derandomize=True, deadline=None)
@given(
    value=st.recursive(
        TEXTS | st.integers() | st.none(), lambda x: st.lists(x) | st.dictionaries(TEXTS, x)
    )
)
def test_texts_survive_and_end_nothing(value: object) -> None:
    text = str(embed_json(value))
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")
    text.encode("utf-8")


def test_numbers_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        embed_json([float("nan")])
