"""A record's block: sums are those of the lens, nothing is left out, what does not fit is said."""

from dataclasses import replace

import numpy as np
from report.lens_records import lens_on, unpacked

from flowgauge.report.lens_payload import lens_block, places_of

ROOM = 1_000_000


def test_totals_are_those_of_the_lens():
    """1e-4 is the step; each total is one rounded number a layer, summed over all layers."""
    lens = lens_on()
    block = lens_block(lens, 0, ROOM)
    totals = unpacked(block["totals"])
    assert totals.shape == (2, 5, 1)
    summed = totals.sum(axis=0)[:, 0]
    np.testing.assert_allclose(summed[:3], lens.documents, atol=1e-4)
    np.testing.assert_allclose(summed.sum(), lens.totals.sum(), atol=5e-4)
    prompt = len(lens.tokens.prompt_ids)
    own = lens.effects[1, prompt:].sum(dtype=np.float64)
    np.testing.assert_allclose(totals[1, 4, 0], own, atol=1e-4)


def test_sentences_are_those_of_the_lens_and_the_rest_stands_apart():
    lens = lens_on()
    block = lens_block(lens, 0, ROOM)
    found = unpacked(block["overview"]).sum(axis=0)
    wanted = lens.sentences
    # A document without a sentence is a row all the same.
    assert block["rows"]["text"] == (
        *(s.text for s in wanted.source[:3]), "", *(s.text for s in wanted.source[3:]), "", "",
    )  # fmt: skip
    assert block["rows"]["group"] == (0, 0, 0, 1, 2, 2, 3, 4)
    assert block["columns"] == [s.text for s in wanted.response]
    np.testing.assert_allclose(found[[0, 1, 2, 4, 5]], wanted.effects, atol=1e-4)
    np.testing.assert_allclose(found[3], 0, atol=1e-9)
    np.testing.assert_allclose(found.sum(), lens.totals.sum(), atol=1e-4 * found.size)


def test_tokens_are_within_a_step_and_stand_where_they_stand():
    lens = lens_on()
    block = lens_block(lens, 7, ROOM)
    found = unpacked(block["tokens"])
    assert block["tokens"]["step"] == 0.001
    np.testing.assert_allclose(found[1], lens.effects[1], atol=1e-3)
    np.testing.assert_allclose(found.sum(axis=0), lens.totals, atol=5e-4 + 1e-6)
    assert (block["row"], block["id"], block["layers"]) == (7, "two", [0, 1])
    assert "".join(block["response"]["text"]) == lens.record.response == block["text"]
    first = next(j for j, p in enumerate(lens.tokens.prompt_part) if p == 0)
    mine = [
        t for t, p in zip(block["source"]["text"], lens.tokens.prompt_part, strict=False) if p == 0
    ]
    assert "".join(mine) == lens.record.documents[0]
    assert block["source"]["text"][first - 1] == lens.source_text[first - 1]
    places, part = places_of(lens), lens.tokens.prompt_part
    np.testing.assert_array_equal(places.group[: len(part)][part >= 0], part[part >= 0])
    for j, row in enumerate(block["source"]["row"]):
        assert block["rows"]["group"][row] == places.group[j]


def test_too_much_is_rounded_more_coarsely_and_then_left_out():
    lens = lens_on()
    whole = lens_block(lens, 0, ROOM)
    tight = lens_block(lens, 0, len(whole["tokens"]["data"]))
    assert 0.001 < tight["tokens"]["step"] <= 0.064
    assert len(tight["tokens"]["data"]) <= len(whole["tokens"]["data"])
    small = lens_block(lens, 0, 400)
    assert small["tokens"] is None
    assert len(small["overview"]["data"]) <= 400
    np.testing.assert_allclose(
        unpacked(small["overview"]).sum(axis=0),
        unpacked(whole["overview"]).sum(axis=0),
        atol=small["overview"]["step"],
    )


def test_a_record_without_documents_has_its_prompt():
    lens = lens_on(documents=None)
    block = lens_block(lens, 0, ROOM)
    assert block["documents"] == 0
    assert block["rows"]["group"] == (0, 1)
    assert not any("rewrote" in note for note in block["notes"])
    np.testing.assert_allclose(unpacked(block["totals"]).sum(), lens.totals.sum(), atol=3e-4)


def test_documents_that_a_template_rewrote_are_said_to_be_unknown():
    lens = lens_on()
    unknown = np.full_like(lens.tokens.prompt_part, -1)
    lens = replace(lens, tokens=replace(lens.tokens, prompt_part=unknown))
    block = lens_block(lens, 0, ROOM)
    assert (block["documents"], block["rows"]["group"]) == (0, (0, 1))
    assert "rewrote the documents" in block["notes"][-1]


def test_falls_come_with_the_block():
    assert lens_block(lens_on(), 0, ROOM)["falls"] is None
    found = lens_block(lens_on(), 0, ROOM, np.array([1.0, 0.0, -0.25]))
    assert found["falls"] == [1.0, 0.0, -0.25]
