"""experiments/masked_diffusion: rows, equal sizes, a small run from end to end."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from flowgauge.flow import flow

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))

from masked_diffusion import data, flows, likelihood, plan, run, tables, train

HERE = Path(plan.__file__).parent
NAMES = ("Tom", "Lily", "Ben", "Sue", "Max", "Ann", "Sam", "Mia", "Tim", "Amy")


@pytest.fixture
def assets(tmp_path):
    """A folder of data sets with thirty stories, two of them too short."""
    texts = [
        f"One day {name} had a red ball and a big dog. {name} and {other} ran to the park. "
        f"The dog saw the ball. {other} said, I want to play. {name} was happy. They went home "
        f"and {name} told mom about the dog and the ball and the park. Mom said, you are a good "
        f"friend, {name}. {other} came to play with the red ball on the next day."
        for name in NAMES
        for other in NAMES[:3]
    ]
    file = tmp_path / "assets" / data.FILE
    file.parent.mkdir(parents=True)
    file.write_text(f"\n{data.END}\n".join([*texts, "Too short.", "The end."]), encoding="utf-8")
    return tmp_path / "assets"


def test_rows_are_windows_of_the_stories_with_the_prompt_left_out_of_the_labels(assets):
    stories = data.stories(assets)
    assert len(stories) == 30
    with_prompt, alone = data.batch(stories, 16, np.random.default_rng(0))
    long, short = data.PROMPT + data.RESPONSE, data.RESPONSE
    for rows, size, prompt in ((with_prompt, long, data.PROMPT), (alone, short, 0)):
        assert rows.ids.shape == rows.labels.shape == (16, 1 + size)
        assert (rows.ids[:, 0] == data.BOS).all()
        assert (rows.labels[:, : 1 + prompt] == -100).all()
        assert torch.equal(rows.labels[:, 1 + prompt :], rows.ids[:, 1 + prompt :])
        for row in rows.ids[:, 1:].numpy():
            assert any(
                np.array_equal(story[a : a + size], row)
                for story in stories
                for a in range(len(story) - size + 1)
            )


def test_records_hold_the_beginning_of_their_own_story_or_of_the_next(assets):
    stories = data.stories(assets)[:4]
    own, other = data.records(stories), data.records(stories, another=True)
    for i, story in enumerate(stories):
        response = story[data.PROMPT : data.PROMPT + data.RESPONSE]
        assert own[i].response_ids.tolist() == other[i].response_ids.tolist() == response.tolist()
        assert own[i].prompt_ids.tolist() == [data.BOS, *story[: data.PROMPT]]
        assert other[i].prompt_ids.tolist() == [data.BOS, *stories[(i + 1) % 4][: data.PROMPT]]
        assert own[i].reference_ids.tolist() == [data.BOS]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"tinystories_sample\.txt is missing; name the folder"):
        data.stories(tmp_path)


def test_both_members_have_one_size():
    sizes = {train.parameters(train.new(name, 0)) for name in train.MODELS}
    assert len(sizes) == 1


def test_a_summary_by_hand():
    one = flow(np.log([0.5, 0.5]), np.log([0.25, 0.5]), [0.1, 0.2], [0.1, 0.1])
    other = flow(np.log([0.5, 0.5]), np.log([0.5, 0.5]), [0.1, 0.0], [0.1, 0.1])
    found = flows.summary([[one, other], [one, one]], ["neither", "driven by the source"])
    # orders of a record are averaged first: log 2 / 2 and log 2, 0.2 and 0.3
    assert found["density_sum_nats"]["mean"] == pytest.approx(0.75 * np.log(2))
    assert found["density_sum_nats"]["standard_error"] == pytest.approx(0.25 * np.log(2))
    assert found["drift_sum_nats"]["mean"] == pytest.approx(0.25)
    assert found["records"] == 2
    assert found["verdicts"]["neither"] == 0.5
    assert likelihood.mean_and_error(np.array([1.0, 3.0])) == {"mean": 2.0, "standard_error": 1.0}


def test_a_small_run_from_end_to_end(assets, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "HELD_OUT", 6)
    small = plan.Sizes(
        training=train.Plan(steps=2, rows=2),
        bound_records=2, draws=4, flow_records=3, orders=2, written=3,
    )  # fmt: skip
    monkeypatch.setattr(run, "QUICK", small)
    command = ["--quick", "--json", "--assets", str(assets), "--runs", str(tmp_path / "runs")]
    run.main(command)
    result = json.loads(capsys.readouterr().out)
    kept = tmp_path / "runs" / "quick"
    assert json.loads((kept / "result.json").read_text(encoding="utf-8")) == result
    assert (kept / "diffusion" / "model.safetensors").is_file()
    # two updates teach little: every law is near uniform over 512 tokens
    for given in ("prompted", "alone"):
        for name in ("causal", "k masked", "random order"):
            assert 4.0 < result["likelihood"][given][name]["mean"] < 8.0
    assert result["flows"]["own prompt"]["causal"]["records"] == 3
    assert sum(result["flows"]["own prompt"]["diffusion"]["verdicts"].values()) == 1.0
    assert [m["texts"] for m in result["written"].values()] == [3, 3, 3]
    run.main(command)
    again = json.loads(capsys.readouterr().out)
    assert again == result  # trained members were kept, and every number is seeded


def test_the_page_shows_the_result():
    result = json.loads((HERE / "result.json").read_text(encoding="utf-8"))
    page = (HERE / "README.md").read_text(encoding="utf-8")
    assert tables.written_into(page, tables.every(result)) == page
