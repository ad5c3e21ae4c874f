"""Hooks in `generate`: the numbers of whole passes and of flowgauge's own loop, nothing changed."""

import functools

import numpy as np
import pytest
import torch
from oracles import hooks as oracle
from oracles.tiny_models import tiny
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    MaxLengthCriteria,
    StopStringCriteria,
    TopKLogitsWarper,
)

from flowgauge.errors import ContextLengthError, RecordError, SettingsError, ShapeError
from flowgauge.live import GenerateSettings, generate, note, stop, writing
from flowgauge.live.grounded import Grounded
from flowgauge.live.hooks import FULL_REFERENCE, OTHER_CRITERION, FlowHooks, HookSettings
from flowgauge.live.hooks import sampling_of as read
from flowgauge.live.loop import Loop
from flowgauge.live.monitor import Monitor
from flowgauge.live.not_from_source import NotFromSource
from flowgauge.live.watched import END_TOKEN, MOST_TOKENS
from flowgauge.models import HuggingFaceModel, load_model
from flowgauge.records import Record, Sampling, Tokens
from flowgauge.scores import ModelLaw, score

PROMPTS = ("Tom had a red cat and", "Once upon a time there was a girl named Lily. She", "One day")
REFERENCES = ([1], [1, 403, 403], [1, 417, 411])
FAMILIES = ("stories-260k", "llama", "gpt2", "gemma3")
PLAIN = Sampling()
WAYS = {
    "plain": PLAIN,
    "greedy": Sampling(temperature=0),
    "greedy, penalised": Sampling(temperature=0, repetition_penalty=1.7),
    "truncated": Sampling(temperature=0.7, top_k=40, top_p=0.9),
    "penalised": Sampling(temperature=1.3, min_p=0.02, repetition_penalty=1.4),
}
NUMBERS = ("log_p", "log_q", "drift", "variance", "entropy_p", "entropy_q", "log_moments")


@functools.cache
def model(family):
    return load_model(family) if family == "stories-260k" else tiny(family)


def batch(lm, prompts=PROMPTS):
    return lm._tokenizer(
        list(prompts), padding=True, padding_side="left", return_tensors="pt",
        return_token_type_ids=False,
    )  # fmt: skip


def called_with(sampling):
    """The words for it that `generate` knows."""
    if sampling.temperature == 0:
        return {"do_sample": False, "repetition_penalty": sampling.repetition_penalty}
    return {
        "do_sample": True, "temperature": sampling.temperature, "top_k": sampling.top_k,
        "top_p": sampling.top_p, "min_p": sampling.min_p or None,
        "repetition_penalty": sampling.repetition_penalty,
    }  # fmt: skip


def run(lm, inputs, hooks=None, sampling=PLAIN, seed=0, most=24, **more):
    """What `generate` gives, with or without hooks."""
    if hooks is not None:
        more |= {"logits_processor": [hooks.processor], "stopping_criteria": [hooks.criteria]}
    torch.manual_seed(seed)
    more = {"max_new_tokens": most, "pad_token_id": 0, "eos_token_id": 2, **more}
    return lm._model.generate(**inputs, **{**called_with(sampling), **more})


def unpadded(inputs, row):
    return inputs["input_ids"][row][inputs["attention_mask"][row] > 0].tolist()


def drawn(out, inputs, hooks, row):
    """The tokens of a row, as many as the hooks saw of it."""
    start = inputs["input_ids"].shape[1]
    return out[row, start : start + len(hooks.texts[row].steps)].tolist()


def column(steps, name):
    return np.array([getattr(s, name) for s in steps])


class Speaks(Monitor):
    """Says something at one token of each text of odd or even first token."""

    name = "speaks"
    promise = "none"
    state = {}  # noqa: RUF012

    def __init__(self, position, parity=None, *, action=note):
        super().__init__(action=action)
        self.position, self.parity, self.is_meant = position, parity, True

    def observe(self, step):
        if step.position == 0 and self.parity is not None:
            self.is_meant = step.token % 2 == self.parity
        if step.position == self.position and self.is_meant:
            return self._tell(step.position, "Here.", density_nats=step.density)
        return None

    def fresh(self):
        return type(self)(self.position, self.parity, action=self.action)


@pytest.mark.parametrize(
    ("family", "way"),
    # Every way with one family, and every family with the ways that change least and most.
    [*(("llama", way) for way in WAYS)]
    + [(f, way) for f in FAMILIES if f != "llama" for way in ("plain", "penalised")],
)
def test_numbers_are_those_of_whole_passes_without_padding(family, way):
    lm, sampling = model(family), WAYS[way]
    inputs = batch(lm)
    for law in (None, ModelLaw()):
        settings = HookSettings(attention_mask=inputs["attention_mask"])
        hooks = FlowHooks(lm, REFERENCES, sampling=sampling, law=law, settings=settings)
        out = run(lm, inputs, hooks, sampling, most=18)
        for row, text in enumerate(hooks.texts):
            tokens = drawn(out, inputs, hooks, row)
            assert tokens == [s.token for s in text.steps]
            assert len(tokens) == 18 or tokens[-1] == 2
            laws = oracle.rows(
                lm, unpadded(inputs, row), REFERENCES[row], tokens, None if law else sampling
            )
            for name, wanted in oracle.numbers(*laws, tokens).items():
                # 1e-4: single precision, caches and padding on one side, neither on the other.
                found = column(text.steps, name)
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4, err_msg=name)
            flow = hooks.flows[row]
            np.testing.assert_allclose(
                flow.flow, np.cumsum([s.density for s in text.steps]), atol=1e-9
            )
        assert max(abs(s.density) for t in hooks.texts for s in t.steps) > 0.5


@pytest.mark.parametrize("way", WAYS)
def test_generate_does_what_it_does_without_them(way):
    lm, sampling = model("llama"), WAYS[way]
    inputs, how = batch(lm), {"return_dict_in_generate": True, "output_scores": True}
    hooks = FlowHooks(lm, REFERENCES, sampling=sampling, monitors=[Grounded(), Speaks(3)])
    watched = run(lm, inputs, hooks, sampling, **how)
    alone = run(lm, inputs, None, sampling, **how)
    assert torch.equal(watched.sequences, alone.sequences)
    assert all(torch.equal(a, b) for a, b in zip(watched.scores, alone.scores, strict=True))


def test_a_processor_behind_them_may_write_into_the_scores():
    lm, inputs = model("llama"), batch(model("llama"))

    def spoil(input_ids, scores):
        return scores.mul_(1.0 + 1e-3)

    hooks, other = FlowHooks(lm, REFERENCES), FlowHooks(lm, REFERENCES)
    run(lm, inputs, hooks)
    both = {"logits_processor": [other.processor, spoil], "stopping_criteria": [other.criteria]}
    run(lm, inputs, None, **both)
    for one, two in zip(hooks.texts, other.texts, strict=True):
        assert one.steps[0].entropy_p == two.steps[0].entropy_p


@pytest.mark.parametrize("law", [None, ModelLaw()], ids=["sampling", "model"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_steps_as_the_loop_of_flowgauge(family, law):
    # Greedy, so that both write the same text.
    lm = model(family)
    sampling = Sampling(temperature=0, repetition_penalty=1.2)
    settings = GenerateSettings(max_tokens=20, **({"law": law} if law else {}))
    monitors = [Grounded(alpha=0.3), Loop(threshold_nats=0.4, window=3), NotFromSource(alpha=0.3)]
    record = Record(id="a", question="Tell me.", documents=("The cat was red.",), response="")
    made = generate(record, lm, sampling=sampling, monitors=monitors, settings=settings).finish()
    ids = torch.from_numpy(made.tokens.prompt_ids)[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    hooks = FlowHooks(
        lm, [made.tokens.reference_ids], sampling=sampling, monitors=monitors, law=law,
        settings=HookSettings(attention_mask=inputs["attention_mask"]),
    )  # fmt: skip
    run(lm, inputs, hooks, sampling, most=20, eos_token_id=list(lm.end_ids))
    [text] = hooks.texts
    assert [s.token for s in text.steps] == [s.token for s in made.steps]
    for name in NUMBERS:
        # 1e-4: the two loops group their rows differently in single precision.
        found, wanted = column(text.steps, name), column(made.steps, name)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4, err_msg=name)
    assert "".join(s.text for s in text.steps) == text.text
    assert made.record.response.startswith(text.text)
    assert [(e.monitor, e.position) for e in text.events] == [
        (e.monitor, e.position) for e in made.events
    ]
    assert text.stopped_by in ("", made.stopped_by)


def test_the_same_columns_as_scoring_the_text_afterwards():
    lm = model("stories-260k")
    inputs, sampling = batch(lm), Sampling(temperature=0.8, top_k=100)
    hooks = FlowHooks(lm, REFERENCES, sampling=sampling, law=ModelLaw())
    out = run(lm, inputs, hooks, sampling)
    none = np.zeros((0, 2), dtype=np.int64)
    for row, text in enumerate(hooks.texts):
        prompt = np.array(unpadded(inputs, row))
        ids = np.array(drawn(out, inputs, hooks, row))
        tokens = Tokens(
            record_id="a", prompt_ids=prompt, reference_ids=np.array(REFERENCES[row]),
            response_ids=ids, offsets=none, prompt_part=none[:, 0], prompt_offsets=none,
        )  # fmt: skip
        [scores] = score([tokens], lm)
        for name in NUMBERS:
            found = column(text.steps, name)
            np.testing.assert_allclose(found, getattr(scores, name), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_of_a_batch_is_the_row_alone(family):
    lm, greedy = model(family), WAYS["greedy"]
    together = FlowHooks(lm, REFERENCES, sampling=greedy)
    run(lm, batch(lm), together, greedy, most=12)
    for row, text in enumerate(together.texts):
        alone = FlowHooks(lm, [REFERENCES[row]], sampling=greedy)
        run(lm, batch(lm, [PROMPTS[row]]), alone, greedy, most=12)
        assert [s.token for s in alone.texts[0].steps] == [s.token for s in text.steps]
        for name in NUMBERS:
            found, wanted = column(text.steps, name), column(alone.texts[0].steps, name)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_events_are_those_of_rows_pushed_by_hand(family):
    lm, sampling = model(family), WAYS["truncated"]
    inputs = batch(lm)
    monitors = [Grounded(alpha=0.2), Loop(threshold_nats=0.4, window=3), NotFromSource(alpha=0.5)]
    hooks = FlowHooks(lm, REFERENCES, sampling=sampling, monitors=monitors)
    out = run(lm, inputs, hooks, sampling)
    said = 0
    for row, text in enumerate(hooks.texts):
        tokens = drawn(out, inputs, hooks, row)
        laws = oracle.rows(lm, unpadded(inputs, row), REFERENCES[row], tokens, sampling)
        pushed, events = [m.fresh() for m in monitors], []
        for p, q, token in zip(*laws, tokens, strict=True):
            events += [e for m in pushed if (e := m.update(p, q, token)) is not None]
        assert [(e.monitor, e.position) for e in text.events] == [
            (e.monitor, e.position) for e in events
        ]
        for mine, theirs in zip(text.events, events, strict=True):
            assert mine.values == pytest.approx(dict(theirs.values), rel=1e-3, abs=1e-3)
        for mine, theirs in zip(text.monitors, pushed, strict=True):
            assert mine.state == pytest.approx(dict(theirs.state), rel=1e-3, abs=1e-3)
        said += len(events)
    assert said > 0


def test_a_monitor_ends_its_row_and_no_other():
    lm = model("llama")
    inputs = batch(lm)
    free = FlowHooks(lm, REFERENCES)
    out = run(lm, inputs, free, seed=1)
    parities = [t.steps[0].token % 2 for t in free.texts]
    assert len(set(parities)) == 2
    hooks = FlowHooks(lm, REFERENCES, monitors=[Speaks(4, parity=0, action=stop)])
    ended = run(lm, inputs, hooks, seed=1)
    start = inputs["input_ids"].shape[1]
    for row, (text, parity) in enumerate(zip(hooks.texts, parities, strict=True)):
        if parity:
            assert len(text.steps) == 24
            assert (text.stopped_by, text.events) == ("", [])
            assert torch.equal(ended[row], out[row])
            # 1e-4: the others have left the batch of the reference.
            for name in NUMBERS:
                found, wanted = column(text.steps, name), column(free.texts[row].steps, name)
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
        else:
            assert len(text.steps) == 5
            assert text.stopped_by == "the monitor speaks stopped it"
            assert [(e.position, e.stops) for e in text.events] == [(4, True)]
            assert torch.equal(ended[row, : start + 5], out[row, : start + 5])
            assert (ended[row, start + 5 :] == 0).all()


def test_all_rows_stopped_end_generate():
    lm = model("llama")
    inputs = batch(lm)
    hooks = FlowHooks(lm, REFERENCES, monitors=[Speaks(2, action=stop)])
    out = run(lm, inputs, hooks, eos_token_id=None)
    assert out.shape[1] == inputs["input_ids"].shape[1] + 3
    assert [len(t.steps) for t in hooks.texts] == [3, 3, 3]


def test_a_row_that_was_ended_is_not_read_although_generate_goes_on_with_it():
    # Without an end token generate appends what it draws to rows that have ended.
    lm = model("llama")
    inputs = batch(lm)
    hooks = FlowHooks(lm, REFERENCES, monitors=[Speaks(4, parity=0, action=stop)])
    out = run(lm, inputs, hooks, seed=1, eos_token_id=None)
    assert out.shape[1] == inputs["input_ids"].shape[1] + 24
    assert sorted({len(t.steps) for t in hooks.texts}) == [5, 24]


def test_an_end_token_is_the_last_step_and_padding_is_none():
    lm, greedy = model("stories-260k"), WAYS["greedy"]
    inputs = batch(lm)
    free = FlowHooks(lm, REFERENCES, sampling=greedy)
    run(lm, inputs, free, greedy)
    end = free.texts[0].steps[5].token
    first = [[s.token for s in t.steps].index(end) if end in [s.token for s in t.steps] else 23
             for t in free.texts]  # fmt: skip
    hooks = FlowHooks(lm, REFERENCES, sampling=greedy, settings=HookSettings(end_ids=(end,)))
    run(lm, inputs, hooks, greedy, eos_token_id=end)
    assert [len(t.steps) for t in hooks.texts] == [n + 1 for n in first]
    assert len(set(first)) > 1
    text = hooks.texts[0]
    assert (text.stopped_by, text.steps[-1].token, text.steps[-1].text) == (END_TOKEN, end, "")
    assert text.text == "".join(s.text for s in free.texts[0].steps[: first[0]])


def test_a_stop_string_ends_its_row():
    lm, greedy = model("stories-260k"), WAYS["greedy"]
    inputs = batch(lm)
    criterion = StopStringCriteria(lm._tokenizer, ["."])
    hooks = FlowHooks(lm, REFERENCES, sampling=greedy, settings=HookSettings(criteria=(criterion,)))
    out = run(lm, inputs, hooks, greedy)
    alone = run(lm, inputs, None, greedy, stop_strings=["."], tokenizer=lm._tokenizer)
    assert torch.equal(out, alone)
    assert len({len(t.steps) for t in hooks.texts}) > 1
    for text in hooks.texts:
        assert ("." in text.text) == (text.stopped_by == OTHER_CRITERION)
        assert "." not in text.text[:-1]
    assert any(t.stopped_by for t in hooks.texts)


def forced(ids, start):
    """A processor under which `generate` writes these tokens and no others."""

    def force(input_ids, scores):
        out = torch.full_like(scores, -torch.inf)
        out[:, ids[input_ids.shape[1] - start]] = 0.0
        return out

    return force


def test_where_the_length_ends_a_row_its_last_characters_are_given_out(monkeypatch):
    lm, inputs = model("stories-260k"), batch(model("stories-260k"), PROMPTS[:1])
    ids = lm.tokenize("a😀").ids.tolist()[:-1]
    monkeypatch.setattr(writing, "draw", lambda logits, rng: ids[drew.pop(0)])
    drew = list(range(len(ids)))
    made = generate("Tom", lm, settings=GenerateSettings(max_tokens=len(ids))).finish()
    assert made.record.response == " " + lm.detokenize(ids)  # its own space, after a prompt
    assert made.record.response.endswith("\ufffd")

    def watched(**settings):
        hooks = FlowHooks(lm, [[1]], settings=HookSettings(**settings))
        both = [forced(ids, inputs["input_ids"].shape[1]), hooks.processor]
        run(
            lm, inputs, None, most=len(ids), logits_processor=both,
            stopping_criteria=[hooks.criteria],
        )  # fmt: skip
        return hooks.texts[0]

    limit = MaxLengthCriteria(inputs["input_ids"].shape[1] + len(ids))
    for text, reason in (
        (watched(max_tokens=len(ids)), MOST_TOKENS),
        (watched(criteria=(limit,)), OTHER_CRITERION),
    ):
        assert [s.text for s in text.steps] == [s.text for s in made.steps]
        assert (text.text, text.stopped_by) == (made.record.response, reason)
    # Where nobody says what the length is, the character may still become complete.
    unseen = watched()
    assert (unseen.text, unseen.stopped_by) == (made.record.response.rstrip("\ufffd"), "")


def test_a_row_that_has_its_most_tokens_is_read_no_further():
    lm, inputs = model("llama"), batch(model("llama"))
    hooks = FlowHooks(lm, REFERENCES, settings=HookSettings(max_tokens=5))
    out = run(lm, inputs, hooks, eos_token_id=None)
    assert torch.equal(out, run(lm, inputs, None, eos_token_id=None))
    assert [len(t.steps) for t in hooks.texts] == [5, 5, 5]
    assert {t.stopped_by for t in hooks.texts} <= {MOST_TOKENS, END_TOKEN}


def test_several_texts_of_a_prompt_have_its_reference_each():
    lm, inputs = model("llama"), batch(model("llama"), PROMPTS[:2])
    references = [r for r in REFERENCES[:2] for _ in range(2)]
    hooks = FlowHooks(lm, references)
    out = run(lm, inputs, hooks, num_return_sequences=2)
    for row, text in enumerate(hooks.texts):
        tokens = drawn(out, inputs, hooks, row)
        laws = oracle.rows(lm, unpadded(inputs, row // 2), references[row], tokens, PLAIN)
        wanted = oracle.numbers(*laws, tokens)["drift"]
        np.testing.assert_allclose(column(text.steps, "drift"), wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(ShapeError, match=r"works on 4 rows and 2 references .* repeat each n"):
        run(lm, inputs, FlowHooks(lm, REFERENCES[:2]), num_return_sequences=2)


def test_beams_and_drafts_are_refused():
    lm, inputs = model("llama"), batch(model("llama"), PROMPTS[:1])
    with pytest.raises(ShapeError, match=r"2 rows and 1 references came.*\(num_beams > 1\) cannot"):
        run(lm, inputs, FlowHooks(lm, [[1]]), WAYS["greedy"], num_beams=2)
    for how in (WAYS["greedy"], PLAIN):
        with pytest.raises(SettingsError, match=r"Beams \(num_beams > 1\) and assisted"):
            run(lm, inputs, FlowHooks(lm, [[1], [1]], sampling=how), how, num_beams=2)
    ids = torch.tensor([[1, 403, 410, 403, 410, 403, 410]])
    repeated = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    hooks = FlowHooks(lm, [[1]], sampling=WAYS["greedy"])
    with pytest.raises(SettingsError, match="came twice and no token between them"):
        run(lm, repeated, hooks, WAYS["greedy"], prompt_lookup_num_tokens=3)
    hooks = FlowHooks(lm, [[1]], sampling=WAYS["greedy"])
    with pytest.raises(SettingsError, match="assisted decoding cannot be watched"):
        run(lm, inputs, hooks, WAYS["greedy"], assistant_model=lm._model)


def test_both_halves_are_needed():
    lm, inputs = model("llama"), batch(model("llama"))
    hooks = FlowHooks(lm, REFERENCES)
    with pytest.raises(SettingsError, match=r"Pass stopping_criteria=\[hooks.criteria\] as well"):
        run(lm, inputs, None, logits_processor=[hooks.processor])
    with pytest.raises(SettingsError, match=r"before its laws. Pass logits_processor=\[hooks.pro"):
        run(lm, inputs, None, stopping_criteria=[FlowHooks(lm, REFERENCES).criteria])


def test_they_watch_one_generation_until_they_are_reset():
    lm, inputs = model("llama"), batch(model("llama"))
    hooks = FlowHooks(lm, REFERENCES, monitors=[Speaks(2)])
    run(lm, inputs, hooks)
    first, flows = hooks.texts, hooks.flows
    with pytest.raises(SettingsError, match=r"have watched a generation already: call reset\(\)"):
        run(lm, inputs, hooks)
    hooks.reset()
    assert [t.steps for t in hooks.texts] == [[], [], []]
    assert [len(f.flow) for f in hooks.flows] == [0, 0, 0]
    run(lm, inputs, hooks)
    assert [f.total_nats for f in hooks.flows] == [f.total_nats for f in flows]
    assert [t.events for t in hooks.texts] == [t.events for t in first]


def test_hooks_may_go_on_with_what_was_written():
    lm, inputs = model("llama"), batch(model("llama"), PROMPTS[:1])
    greedy = WAYS["greedy"]
    whole, parts = (FlowHooks(lm, [[1]], sampling=greedy) for _ in range(2))
    run(lm, inputs, whole, greedy, most=12)
    out = run(lm, inputs, parts, greedy, most=5)
    run(lm, {"input_ids": out, "attention_mask": torch.ones_like(out)}, parts, greedy, most=7)
    found, wanted = (column(h.texts[0].steps, "flow") for h in (parts, whole))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_settings_that_generate_does_not_draw_with_are_seen():
    lm, inputs = model("llama"), batch(model("llama"))
    hooks = FlowHooks(lm, REFERENCES, sampling=Sampling(top_k=2))
    with pytest.raises(SettingsError, match=r"of row \d cannot be drawn under .*top_k=2.*top_k is"):
        run(lm, inputs, hooks)
    run(lm, inputs, FlowHooks(lm, REFERENCES, sampling=Sampling(top_k=2), law=ModelLaw()))


def test_what_does_not_fit_is_refused():
    lm, inputs = model("llama"), batch(model("llama"))
    with pytest.raises(SettingsError, match=r"law is 'model'; SamplingLaw\(\) or ModelLaw\(\)"):
        FlowHooks(lm, REFERENCES, law="model")
    with pytest.raises(SettingsError, match="max_tokens is 0, at least 1 was needed"):
        HookSettings(max_tokens=0)
    penalised = Sampling(repetition_penalty=1.2)
    with pytest.raises(SettingsError, match=r"pass settings=HookSettings\(attention_mask=inputs"):
        FlowHooks(lm, REFERENCES, sampling=penalised, law=ModelLaw())
    settings = HookSettings(attention_mask=inputs["attention_mask"][:, 1:])
    hooks = FlowHooks(lm, REFERENCES, sampling=penalised, law=ModelLaw(), settings=settings)
    with pytest.raises(ShapeError, match="the mask that generate was given was needed"):
        run(lm, inputs, hooks, penalised)
    with pytest.raises(RecordError, match="row 1 has nothing before its first token"):
        FlowHooks(lm, [[1], []])
    for bad in ([[1]], [0.5], 3):
        with pytest.raises(ShapeError, match=r"reference 0 is .* one row of ids was"):
            FlowHooks(lm, [bad])
    with pytest.raises(ContextLengthError, match="a reference has 513 tokens, llama reads 512;"):
        run(lm, inputs, FlowHooks(lm, [[1], [1], [1] * 513]))
    other = AutoModelForCausalLM.from_config(lm._model.config.__class__(
        **{**lm._model.config.to_dict(), "vocab_size": 500}
    ))  # fmt: skip
    smaller = HuggingFaceModel(other, lm._tokenizer, "smaller")
    with pytest.raises(ShapeError, match="gives 512 scores a row and smaller has 500 tokens"):
        run(lm, inputs, FlowHooks(smaller, REFERENCES))


def test_a_reference_that_fills_the_context_ends_the_watching_alone():
    lm, inputs = model("gpt2"), batch(model("gpt2"), PROMPTS[:2])
    hooks = FlowHooks(lm, [[1], [1] * 508])
    out = run(lm, inputs, hooks, most=12)
    assert torch.equal(out, run(lm, inputs, None, most=12))
    # After 508 tokens there is room for 4 more; the law of the fifth is known, none after it.
    assert [len(t.steps) for t in hooks.texts] == [12, 5]
    assert [t.stopped_by for t in hooks.texts] == ["", FULL_REFERENCE]


@pytest.mark.parametrize("way", WAYS)
def test_settings_are_read_as_generate_reads_them(way):
    config = GenerationConfig(**called_with(WAYS[way]))
    assert read(config) == WAYS[way]
    lm = model("llama")
    hooks = FlowHooks(lm, REFERENCES, sampling=read(config))
    how = {"generation_config": config, "max_new_tokens": 8, "pad_token_id": 0}
    lm._model.generate(
        **batch(lm), **how, logits_processor=[hooks.processor], stopping_criteria=[hooks.criteria]
    )
    assert len(hooks.texts[0].steps) == 8


def test_what_is_left_open_is_filled_in_as_by_generate():
    lm = model("llama")._model
    said = {"do_sample": True, "temperature": 0.5, "repetition_penalty": 1.1}
    for of_model in (GenerationConfig(), GenerationConfig(**said), GenerationConfig(top_k=7)):
        for of_call in (GenerationConfig(), GenerationConfig(do_sample=True, top_p=0.5)):
            before, lm.generation_config = lm.generation_config, of_model
            try:
                filled, _ = lm._prepare_generation_config(of_call)
            finally:
                lm.generation_config = before
            assert read(of_call, of_model) == read(filled)
    assert read(GenerationConfig(do_sample=True)) == Sampling(top_k=50)
    assert read(GenerationConfig()) == Sampling(temperature=0)


def test_settings_that_the_law_does_not_cover_are_named():
    with pytest.raises(SettingsError, match=r"^typical_p=0.5, eta_cutoff=0.1 came; the sampling"):
        read(GenerationConfig(do_sample=True, typical_p=0.5, eta_cutoff=0.1))
    with pytest.raises(SettingsError, match=r"num_beams=3, no_repeat_ngram_size=2 came"):
        read(GenerationConfig(num_beams=3, no_repeat_ngram_size=2))
    # Greedy decoding does not look at what shapes samples.
    assert read(GenerationConfig(typical_p=0.5, top_k=3)) == Sampling(temperature=0)
    with pytest.raises(SettingsError, match="guidance_scale=0 came"):
        read(GenerationConfig(), GenerationConfig(guidance_scale=0))


#: Settings of transformers that leave the law of the next token alone.
HARMLESS = {
    "max_length", "max_new_tokens", "early_stopping", "max_time", "stop_strings", "use_cache",
    "cache_implementation", "cache_config", "max_cache_len", "length_penalty",
    "renormalize_logits", "remove_invalid_values", "token_healing", "num_return_sequences",
    "output_attentions", "output_hidden_states", "output_scores", "output_logits",
    "return_dict_in_generate", "pad_token_id", "bos_token_id", "eos_token_id",
    "decoder_start_token_id", "is_assistant", "num_assistant_tokens",
    "num_assistant_tokens_schedule", "assistant_confidence_threshold", "max_matching_ngram_size",
    "assistant_lookbehind", "target_lookbehind", "assistant_ensemble_weight", "speculation_type",
    "compile_config", "disable_compile", "continuous_batching_config", "low_memory",
    "diversity_penalty", "prefill_chunk_size", "_from_model_config", "transformers_version",
}  # fmt: skip


def test_every_setting_of_transformers_is_covered_refused_or_harmless():
    covered = {"do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty"}
    refused = set()
    for name in set(GenerationConfig().to_dict()) - HARMLESS - covered:
        config = GenerationConfig(do_sample=True)
        setattr(config, name, 0.5)
        with pytest.raises(SettingsError, match=f"{name}=0.5 came"):
            read(config)
        refused.add(name)
    assert {"typical_p", "eta_cutoff", "top_h", "num_beams", "watermarking_config"} <= refused


def test_the_processor_stands_before_temperature_and_after_the_penalty():
    # What the hooks rest on; a new release of transformers may change it.
    lm, hooks = model("llama")._model, FlowHooks(model("llama"), [[1]])
    config, _ = lm._prepare_generation_config(
        GenerationConfig(do_sample=True, temperature=0.5, top_k=3, repetition_penalty=1.2)
    )
    order = lm._get_logits_processor(config, 4, logits_processor=[hooks.processor], model_kwargs={})
    assert [type(p).__name__ for p in order] == [
        "RepetitionPenaltyLogitsProcessor", "FlowProcessor", "TemperatureLogitsWarper",
        TopKLogitsWarper.__name__,
    ]  # fmt: skip
