"""A saved family model behind flowgauge's protocol: scores, runs, texts, and the lens."""

import json

import numpy as np
import pytest
import torch
from oracles.continuous_cache import mixed_scores
from oracles.family import STACKS, model_of
from oracles.lens import seen_in_pass
from oracles.scores import largest_difference, scores_of
from oracles.tiny_models import tokenizer

from flowgauge import Record, load_model, measure
from flowgauge.architectures.family.diffusion import (
    FamilyForMaskedDiffusion,
    MaskedDiffusionConfig,
)
from flowgauge.errors import ModelError, UnknownModelError
from flowgauge.lens import copy_heads, read_lens, token_contributions
from flowgauge.lens.mixers import find_mixer
from flowgauge.models import HuggingFaceModel
from flowgauge.models.decoding import JoinedDecoder
from flowgauge.models.quiet import quiet_transformers
from flowgauge.records import ORDERS, Sampling
from flowgauge.scores import ContinuousCache, ScoreSettings, score
from flowgauge.text import Omit, PlainTemplate, align

# What is promised of single precision along different ways.
TOLERANCE = 1e-4
STORY = "Once upon a time there was a little dog who loved to play in the big green park. " * 2
RECORDS = [
    Record(id=str(i), question="What then?", documents=(STORY, "A red ball."), response=text)
    for i, text in enumerate(("The dog was happy.", "She saw a fish in the park.", "He ran."))
]


@pytest.fixture(scope="module", params=STACKS)
def saved(request, tmp_path_factory):
    """A folder with a model of each stack and the story tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "mine"
    with quiet_transformers():
        model_of(request.param).save_pretrained(folder)
        tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def lm(saved):
    return load_model(saved)


def tokens_of(lm):
    return [align(r.id, PlainTemplate().compose(r, Omit()), r.response, lm) for r in RECORDS]


def test_it_is_loaded_with_all_that_a_model_can_do(lm):
    assert type(lm) is HuggingFaceModel
    assert (lm.name, lm.vocabulary_size, lm.state_width) == ("mine", 512, 32)
    assert (lm.head_name, lm.can_share_prefix, lm.context_length) == ("plain", True, None)
    assert lm.end_ids == (2,)
    assert isinstance(lm.decoder([np.array([3, 4]), np.array([5])]), JoinedDecoder)


def test_scores_are_those_of_full_passes_shared_or_not(lm):
    tokens = tokens_of(lm)
    together = score(tokens, lm)
    unshared = score(tokens, lm, ScoreSettings(share_prefixes=False))
    for t, a, b in zip(tokens, together, unshared, strict=True):
        assert largest_difference(a, b) <= TOLERANCE
        assert largest_difference(a, scores_of(lm._model, t, ORDERS)) <= TOLERANCE
    if lm._model.config.window is None:  # the question is longer than a window
        assert max(float(f.drift.max()) for f in together) > 0.01


def test_a_continuous_cache_is_its_definition(lm):
    law = ContinuousCache()
    tokens = tokens_of(lm)
    for t, found in zip(tokens, score(tokens, lm, law=law), strict=True):
        source = np.flatnonzero(t.prompt_part >= 0).tolist()
        assert largest_difference(found, mixed_scores(lm._model, t, source, law, ORDERS)) <= (
            TOLERANCE
        )


def test_a_run_is_measured_and_pointers_are_refused_in_words(lm, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path))
    run = measure(RECORDS, lm)
    [expected] = score([align("0", PlainTemplate().compose(RECORDS[0], Omit()),
                              RECORDS[0].response, lm)], lm)  # fmt: skip
    density = expected.log_p - expected.log_q
    np.testing.assert_allclose(run["0"].density, density, atol=TOLERANCE)
    heads = copy_heads(lm)
    assert heads.heads == ()
    assert heads.why_none == "mine shows no attention to look at"


def test_texts_are_written_alike_by_generate_and_by_the_decoder(lm):
    prompt = lm.tokenize(STORY).ids
    rng = np.random.default_rng(0)
    written = lm.generate(prompt, 15, Sampling(temperature=0), rng)
    decoder, found = lm.decoder([prompt, prompt[:9]]), []
    for _ in range(len(written)):
        laws = lm.logits(decoder.states)
        found.append(int(laws[0].argmax()))
        decoder.step(np.array([found[-1], int(laws[1].argmax())]))
    assert len(written) > 5
    assert found == written.tolist()
    drawn = lm.generate(prompt, 15, Sampling(temperature=1.0), rng)
    assert drawn.tolist() != written.tolist()


def test_rows_written_side_by_side_have_the_laws_they_have_alone(lm):
    rng = np.random.default_rng(1)
    rows = [rng.integers(3, 512, n) for n in (23, 5, 1, 40)]
    decoder = lm.decoder(rows)
    for kept in ([0, 1, 2, 3], [2, 0], [1]):
        decoder.keep(kept)
        rows = [rows[i] for i in kept]
        for _ in range(2):
            ids = rng.integers(3, 512, len(rows))
            decoder.step(ids)
            rows = [np.append(row, one) for row, one in zip(rows, ids, strict=True)]
        with torch.inference_mode():
            wanted = [lm._model(torch.from_numpy(r)[None]).logits[0, -1] for r in rows]
        difference = (lm.logits(decoder.states) - torch.stack(wanted)).abs().max()
        assert float(difference) <= TOLERANCE * float(torch.stack(wanted).abs().max())


def test_the_lens_reads_what_the_member_says_of_itself(lm):
    ids = np.random.default_rng(2).integers(3, 512, 24)
    for layer, block in enumerate(lm._model.model.layers):
        inputs, outputs = seen_in_pass(lm, ids, {"mixer": block.mixer})
        u = inputs["mixer"].float()[None]
        with torch.no_grad():
            a, constant = block.mixer.coefficients(u)[0], block.mixer.constant(u)[0]
        for position in (0, 7, 23):
            part = token_contributions(ids, lm, layer=layer, position=position)
            expected = torch.einsum("jvw,jw->jv", a[position], u[0]).numpy()
            scale = np.abs(expected).max()
            assert np.abs(part.vectors - expected).max() <= TOLERANCE * scale
            assert np.abs(part.apart - constant[position].numpy()).max() <= TOLERANCE * scale
            out = outputs["mixer"][position].numpy()
            assert np.abs(part.vectors.sum(0) + part.apart - out).max() <= TOLERANCE * scale


def test_the_lens_gives_each_document_a_total(lm):
    [tokens, *_] = tokens_of(lm)
    found = read_lens(tokens, RECORDS[0], lm)
    assert found.effects.shape == (2, len(found.source_text), len(found.response_text))
    assert found.documents.shape == (2,)
    assert np.abs(found.effects).max() > 1e-3


def test_the_lens_knows_our_members_by_their_module_alone():
    class Attention(torch.nn.Module):
        """Somebody else's."""

    layer = torch.nn.Module()
    layer.mixer = Attention()
    with pytest.raises(ModelError, match=r"holds 0 mixers .* flowgauge.architectures.attention"):
        find_mixer(layer)


def test_a_broken_config_is_refused_in_words(saved, tmp_path):
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config["mixers"] = ["perceiver"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnknownModelError, match="mixers holds 'perceiver'; known are attention"):
        load_model(tmp_path)


def test_masked_diffusion_is_loaded_as_what_it_is(tmp_path):
    torch.manual_seed(0)
    model = FamilyForMaskedDiffusion(MaskedDiffusionConfig(vocab_size=513, width=16)).eval()
    with quiet_transformers():
        model.save_pretrained(tmp_path / "masked")
        tokenizer().save_pretrained(tmp_path / "masked")
    lm = load_model(tmp_path / "masked")
    assert (type(lm).__name__, lm.vocabulary_size) == ("MaskedDiffusionModel", 512)
    ids = np.array([[5, lm.mask_id, 7]])
    with torch.inference_mode():
        wanted = model(torch.from_numpy(ids)).logits[0, 1, :-1]
    torch.testing.assert_close(lm.logits(ids, ids == lm.mask_id)[0], wanted)
