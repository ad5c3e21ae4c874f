"""experiments/recall: tasks against a reader, members of one size, sweeps, intervals."""

import json
import math
import sys
from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import recall as oracle
from torch import nn

from flowgauge.architectures import Attention, AttentionConfig

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))

from recall import judge, members, plan, tables, tasks, training, trainings

README = Path(plan.__file__).parent / "README.md"
SMALL = members.Size(width=16, feed_forward=32)
# As many steps as a check needs: 25 checks are made on the way.
TINY = plan.Plan(
    cells=(("transformer", "recall"),), seeds=(1, 2), steps=4, first=(1e-3, 3e-3), size=SMALL
)


def draw(task, split, count=40, seed=5):
    return task.draw(split, count, np.random.default_rng(seed))


# ---------------------------------------------------------------- tasks


@given(st.integers(0, 2**16))
@settings(max_examples=20, deadline=None)
def test_copying_is_the_prefix_again(seed):
    task = tasks.Copying(letters=5, length=7)
    for split, length in (("seen", 7), ("longer", 14)):
        found = draw(task, split, count=3, seed=seed)
        for row in found.tokens:
            assert row[found.answers].tolist() == oracle.copied(row, 5)
            assert found.answers.sum() == length


@given(
    st.sampled_from([1, 3, 4]),
    st.integers(0, 2**16),
    st.sampled_from(["seen", "new values", "longer"]),
)
@settings(max_examples=40, deadline=None)
def test_answers_are_what_a_reader_looks_up(forms, seed, split):
    task = tasks.Recall(concepts=8, forms=forms, values=8, pairs=3, seed=seed)
    found = draw(task, split, count=5, seed=seed)
    assert found.tokens.max() < task.vocabulary
    for row in found.tokens:
        assert row[found.answers].tolist() == [
            value + 8 * forms for value in oracle.lookup(row, 8, forms)
        ]


def met(task, split):
    """Combinations (concept, value) and unordered (concept, form, form) of a split."""
    values, forms = Counter(), Counter()
    for row in draw(task, split, count=2000).tokens:
        told, asked = oracle.pairs_of(row, task.concepts, task.forms)
        written = {concept: form for concept, form, _ in told}
        values.update((concept, value) for concept, _, value in told)
        forms.update((c, *sorted((written[c], form))) for c, form, _ in asked)
    return values, forms


def test_what_is_held_out_is_never_trained_on():
    task = tasks.Recall(concepts=6, forms=4, values=8, pairs=3, seed=3)
    values, forms = met(task, "seen")
    new_values, forms_too = met(task, "new values")
    values_too, new_forms = met(task, "new forms")
    _, same = met(task, "same form")
    # A quarter of 6 · 8 values, one of the 6 form pairs of each concept.
    assert (len(values), len(new_values), len(forms), len(new_forms)) == (36, 12, 30, 6)
    assert not values.keys() & new_values.keys()
    assert not forms.keys() & new_forms.keys()
    assert values_too.keys() == values.keys()
    assert forms_too.keys() == forms.keys()
    assert all(a == b for _, a, b in same)
    assert all(a != b for _, a, b in forms)


def test_both_orders_of_a_form_pair_are_drawn():
    task = tasks.Recall(concepts=4, forms=3, values=4, pairs=2, seed=0)
    first = 0
    for row in draw(task, "new forms", count=500).tokens:
        told, asked = oracle.pairs_of(row, 4, 3)
        form_asked = {concept: form for concept, form, _ in asked}
        first += sum(form < form_asked[concept] for concept, form, _ in told)
    # 1,000 fair coins: 5 standard deviations are 79
    assert abs(first - 500) < 80


def test_queries_ask_for_each_concept_once_in_another_order():
    task = tasks.semantic(1)
    asked_in_order = 0
    for row in draw(task, "seen").tokens:
        told, asked = oracle.pairs_of(row, task.concepts, task.forms)
        assert sorted(c for c, _, _ in told) == sorted({c for c, _, _ in asked})
        asked_in_order += [c for c, _, _ in told] == [c for c, _, _ in asked]
    assert asked_in_order < 5  # one in 720 by chance


def test_a_world_is_the_seeds():
    first, again, other = tasks.semantic(1), tasks.semantic(1), tasks.semantic(2)
    np.testing.assert_array_equal(first.new_values, again.new_values)
    np.testing.assert_array_equal(first.new_forms, again.new_forms)
    assert not np.array_equal(first.new_values, other.new_values)


def test_guessing_is_what_leaving_out_gives():
    task = tasks.Recall(concepts=6, forms=1, values=400, pairs=6, seed=0)
    rng, right, asked = np.random.default_rng(8), 0, 0
    for row in draw(task, "seen", count=3000).tokens:
        told, queries = oracle.pairs_of(row, 6, 1)
        left = [value for _, _, value in told]
        for _, _, value in queries:
            right += left[rng.integers(len(left))] == value
            left.remove(value)
            asked += 1
    # 18,000 answers: a standard deviation is below 0.004; ties of 400 values add below 0.003
    assert right / asked == pytest.approx(task.guess, abs=0.02)


# ---------------------------------------------------------------- members


@pytest.mark.parametrize("name", members.MEMBERS)
def test_members_have_as_many_parameters(name):
    member = members.MEMBERS[name]
    like = members.Member("", layers=member.layers, is_tied=member.is_tied)
    sizes = [
        sum(p.numel() for p in members.build(m, 64, members.Size()).parameters())
        for m in (member, like)
    ]
    assert 0.98 * sizes[1] <= sizes[0] <= sizes[1]


@pytest.mark.parametrize("name", members.MEMBERS)
def test_members_answer_from_the_past_alone(name):
    torch.manual_seed(0)
    model = members.build(members.MEMBERS[name], 9, members.Size()).eval()
    tokens = torch.randint(9, (2, 12), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        said, balance = model(tokens, torch.arange(12))
        changed = tokens.clone()
        changed[:, 8:] = (changed[:, 8:] + 1) % 9
        other, _ = model(changed, torch.arange(12))
        some, _ = model(tokens, torch.tensor([3, 7]))
    assert said.shape == (2, 12, 9)
    # float32: logits of order 1, a hundred sums of up to 200 products
    torch.testing.assert_close(other[:, :8], said[:, :8], atol=1e-5, rtol=0)
    assert not torch.allclose(other[:, 8:], said[:, 8:], atol=1e-3)
    torch.testing.assert_close(some, said[:, [3, 7]], atol=1e-5, rtol=0)
    assert (balance > 0) == (members.MEMBERS[name].experts > 1)


def test_identity_is_attention_with_a_form_of_one():
    torch.manual_seed(0)
    plain, fixed = (Attention(AttentionConfig(width=8, heads=2)) for _ in range(2))
    fixed.load_state_dict(plain.state_dict())
    members.fix_to_identity(fixed)
    with torch.no_grad():
        plain.q_proj.weight.copy_(torch.eye(8))
        plain.k_proj.weight.copy_(torch.eye(8))
        u = torch.randn(2, 6, 8)
        torch.testing.assert_close(fixed(u), plain(u))
    b = plain.bilinear(head=1)
    torch.testing.assert_close(b, torch.diag(torch.tensor([0.0] * 4 + [1.0] * 4)))


@pytest.mark.parametrize(
    ("name", "count"), [("transformer", 0), ("identity_last", 1), ("identity", 2)]
)
def test_where_the_form_is_fixed(name, count):
    model = members.build(members.MEMBERS[name], 9, SMALL).model
    fixed = [isinstance(layer.mixer.q_proj, nn.Identity) for layer in model.model.layers]
    assert fixed == [False] * (2 - count) + [True] * count


def test_a_random_embedding_is_not_trained():
    job = plan.QUICK.job("one_frozen", "recall", 1e-2, 1)
    model = members.build(members.MEMBERS[job.member], 9, SMALL)
    assert not model.model.get_input_embeddings().weight.requires_grad
    assert model.model.lm_head.weight.requires_grad


# ---------------------------------------------------------------- training


class Reader(nn.Module):
    """Says the right answer on every other sequence, and the token 0 on the others."""

    def __init__(self, task):
        super().__init__()
        self.task = task

    def forward(self, tokens, positions):
        logits = torch.zeros(len(tokens), len(positions), self.task.vocabulary)
        for n, row in enumerate(tokens.numpy()):
            said = oracle.lookup(row, self.task.concepts, self.task.forms)
            shift = self.task.concepts * self.task.forms
            for place, value in enumerate(said):
                logits[n, place, value + shift if n % 2 == 0 else 0] = 5.0
        return logits, torch.zeros(())


def test_loss_and_accuracy_are_those_of_the_answers():
    task = tasks.semantic(0)
    loss, accuracy = training.check(Reader(task), draw(task, "seen", count=10))
    missed, told = math.log(math.exp(5) + task.vocabulary - 1), 5
    assert accuracy == pytest.approx(0.5)
    assert loss == pytest.approx(missed - told / 2, abs=1e-5)  # float32


def test_tests_draw_fresh_sequences_of_every_split():
    task = tasks.semantic(0)
    assert training.test(Reader(task), task, seed=4).keys() == set(tables.SPLITS)


def test_cosines_by_hand():
    task = tasks.Recall(concepts=3, forms=3, values=4, pairs=2, seed=0)
    model = members.build(members.MEMBERS["one"], task.vocabulary, members.Size())
    weight = torch.zeros(task.vocabulary, 64)
    # All forms of a concept point its way, but one of each held-out pair, which is turned by 60°.
    for concept, ((first, _),) in enumerate(task.new_forms):
        for form in range(3):
            turned = form == first
            weight[3 * concept + form, concept] = 2.0 * (0.5 if turned else 1.0)
            weight[3 * concept + form, 10 + concept] = 2.0 * (0.75**0.5 if turned else 0.0)
    with torch.no_grad():
        model.model.get_input_embeddings().weight.copy_(weight)
    found = training.cosines(model, task)
    assert found == pytest.approx({"new_forms": 0.5, "others": 0.0}, abs=1e-6)  # float32


def test_rates_warm_up_and_go_down_to_nothing():
    rates = [training.rate_at(step, 100, 1.0) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == max(rates) == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0, abs=1e-12)


def test_a_training_learns_and_is_reproducible():
    job = training.Job(
        member="transformer", task="copying", rate=1e-2, seed=3, steps=30, size=SMALL
    )
    first, again = training.train(job), training.train(job)
    drop = {"seconds": 0}
    assert first | drop == again | drop
    assert first["curve"][-1][1] < first["curve"][0][1] - 0.05  # nats; it starts at log 33
    assert first["accuracy"].keys() == {"seen", "longer"}
    assert json.loads(json.dumps(first)) == first


def test_steps_to_solve():
    curve = [[20, 2.0, 0.1], [40, 0.1, 0.9], [60, 0.4, 0.8]]
    assert training.steps_to_solve(curve) == 40
    assert training.steps_to_solve(curve[:1]) is None


# ---------------------------------------------------------------- sweep


def outcome(rate, loss, seed=0, accuracy=0.5, member="transformer", task="recall"):
    splits = dict.fromkeys(("seen", "new values", "longer"), accuracy)
    if task == "semantic":
        splits |= {"new forms": accuracy, "same form": accuracy}
    return {
        "member": member, "task": task, "rate": rate, "seed": seed, "steps": TINY.steps,
        "size": {"width": 16, "feed_forward": 32}, "curve": [[4, loss, accuracy]],
        "accuracy": splits, "parameters": 10, "seconds": 1.0,
        "cosines": {"new_forms": accuracy, "others": 0.0},
    }  # fmt: skip


@given(st.permutations(range(len(plan.LADDER))), st.integers(0, 5))
def test_a_sweep_ends_with_its_best_inside_or_at_an_end_of_the_ladder(order, start):
    losses = dict(zip(plan.LADDER, map(float, order), strict=True))
    first = plan.LADDER[start : start + 3]
    tried = {}
    while missing := plan.missing_rates(tried, first, plan.LADDER):
        assert not tried.keys() & set(missing)
        tried |= {rate: losses[rate] for rate in missing}
    best = plan.best(tried)
    assert losses[best] == min(tried.values())
    if plan.is_at_edge(tried):
        assert best in (plan.LADDER[0], plan.LADDER[-1])


def test_a_loss_that_is_no_number_is_never_the_best():
    assert plan.best({1e-3: math.nan, 3e-3: 2.0, 1e-2: math.inf}) == 3e-3


def test_reported_seeds_take_no_part_in_the_choice():
    done = [outcome(1e-3, 1.0), outcome(3e-3, 2.0), outcome(3e-3, 0.0, seed=1)]
    assert TINY.tried("transformer", "recall", done) == {1e-3: 1.0, 3e-3: 2.0}
    assert {job.rate for job in TINY.report("recall", done)} == {1e-3}
    for some in (plan.FULL, plan.QUICK):
        assert plan.SWEEP_SEED not in some.seeds


class AtOnce:
    """In place of a pool: runs at once what it is given."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, work, job):
        future = Future()
        future.set_result(work(job))
        return future


def test_trainings_are_kept_and_resumed(tmp_path, monkeypatch):
    ran = []

    def fake(job):
        ran.append(job)
        return outcome(job.rate, job.rate, seed=job.seed)

    monkeypatch.setattr(trainings, "ProcessPoolExecutor", AtOnce)
    monkeypatch.setattr(trainings, "train", fake)
    whole = trainings.run(TINY, tmp_path, 1, print)
    # 1e-3 is best and lowest, so 3e-4 is tried, then 1e-4; then two seeds.
    assert [job.rate for job in ran] == [1e-3, 3e-3, 3e-4, 1e-4, 1e-4, 1e-4]
    file = tmp_path / trainings.FILE
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]) + lines[-1][:40])  # killed while it wrote
    ran.clear()
    again = trainings.run(TINY, tmp_path, 1, print)
    assert len(ran) == 1
    assert ran[0].seed in TINY.seeds
    assert sorted(map(json.dumps, again)) == sorted(map(json.dumps, whole))
    assert sorted(file.read_text().splitlines()) == sorted(line.rstrip("\n") for line in lines)


def test_trainings_run_in_processes_of_their_own(tmp_path):
    said = []
    few = plan.Plan(
        cells=(("transformer", "copying"),), seeds=(1,), steps=4, first=(1e-3,),
        ladder=(1e-3,), size=SMALL,
    )  # fmt: skip
    done = trainings.run(few, tmp_path, 1, said.append)
    assert [o["seed"] for o in done] == [0, 1]
    assert trainings.read(tmp_path, few) == done
    assert said[0].startswith("1/1 transformer copying rate 0.001 seed 0: accuracy")
    longer = replace(few, steps=5)
    assert trainings.read(tmp_path, longer) == []


# ---------------------------------------------------------------- judging


@given(st.floats(-1, 1), st.integers(0, 2**16))
@settings(max_examples=5, deadline=None)
def test_intervals_cover_the_mean(mean, seed):
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(1000):
        _, low, high = judge.interval(mean + rng.normal(size=3))
        hits += low <= mean <= high
    # a standard deviation of 0.0069; five on both sides
    assert 0.915 <= hits / 1000 <= 0.985


def test_an_interval_by_hand():
    # mean 2, standard error 1/√3, t of two degrees of freedom 4.302653
    assert judge.interval([1, 2, 3]) == pytest.approx(
        [2, 2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5], abs=1e-6
    )


def made_up():
    """Two members on two tasks: 0.9, 0.8 against 0.6, 0.7, and 1.0 against 0.9 without synonyms."""
    cells = (("one", "recall"), ("one_identity", "recall"))
    some = plan.Plan(
        cells=(*cells, *((m, "semantic") for m, _ in cells)),
        seeds=(1, 2), steps=TINY.steps, first=(1e-3, 3e-3, 1e-2), size=SMALL,
    )  # fmt: skip
    right = {
        ("one", "semantic"): (0.9, 0.8),
        ("one_identity", "semantic"): (0.6, 0.7),
        ("one", "recall"): (1.0, 1.0),
        ("one_identity", "recall"): (0.9, 0.9),
    }
    done = []
    for (member, task), accuracies in right.items():
        more = {"member": member, "task": task}
        done += [outcome(r, abs(r - 3e-3), accuracy=0.1, **more) for r in (1e-3, 3e-3, 1e-2)]
        done += [outcome(3e-3, 1.0, s, a, **more) for s, a in zip((2, 1), accuracies, strict=True)]
    return judge.judged(some, done)


def test_differences_are_paired_by_seed():
    found = made_up()
    by_task = {d["task"]: d for d in found["differences"]}
    assert by_task["semantic"]["split"] == "new forms"
    assert by_task["semantic"]["of_seeds"] == pytest.approx([0.1, 0.3])
    assert by_task["recall"]["of_seeds"] == pytest.approx([0.1, 0.1])
    (of_synonyms,) = found["of_synonyms"]
    assert of_synonyms["of_seeds"] == pytest.approx([0.0, 0.2])
    assert of_synonyms["difference"][0] == pytest.approx(0.1)


def test_cells_hold_the_whole_sweep():
    (cell,) = [c for c in made_up()["cells"] if (c["member"], c["task"]) == ("one", "semantic")]
    assert [s["rate"] for s in cell["sweep"]] == [1e-3, 3e-3, 1e-2]
    assert (cell["rate"], cell["is_at_edge"], cell["seeds"]) == (3e-3, False, [1, 2])
    mean, low, high = cell["accuracy"]["seen"]
    assert mean == pytest.approx(0.85)
    assert 0 <= low < mean < high <= 1


def test_tables_show_what_was_judged():
    found = tables.every(made_up())
    assert found.keys() == {
        "one layer, recall", "one layer, semantic", "cosines", "differences", "sweeps",
    }  # fmt: skip
    row = found["one layer, recall"].splitlines()[2]
    assert row.startswith("| learnt B, learnt embedding | 10 | 0.003 | 1.000 [1.000, 1.000] |")
    assert "| +0.100 [" in found["differences"]
    assert "**0 (0.10)**" in found["sweeps"]
    assert "| learnt B, learnt embedding | +0.850 [" in found["cosines"]


def test_the_page_has_a_place_for_every_table():
    text = README.read_text(encoding="utf-8")
    of_one = ("one layer, recall", "one layer, semantic", "cosines")
    names = [*tasks.TASKS, *of_one, "differences", "sweeps"]
    written = tables.written_into(text, {name: f"table of {name}" for name in names})
    for name in names:
        assert f"<!-- {name} -->\n\ntable of {name}\n\n<!-- /{name} -->" in written
