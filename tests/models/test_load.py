"""`load_model`: names it knows, folders it trusts, and words for everything else."""

import json
import shutil

import numpy as np
import pytest
import torch

from flowgauge.errors import ModelUnavailableError, UnknownModelError, UnsafeModelError
from flowgauge.models import load as loading
from flowgauge.models import load_model
from flowgauge.models.presets import PRESETS, bundled_folder, cache_folder

STORIES = bundled_folder("stories-260k")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """A copy of the story model to spoil."""
    return shutil.copytree(STORIES, tmp_path / "mine")


def test_the_bundled_preset(cache):
    said = []
    lm = load_model("stories-260k", say=said.append)
    assert (lm.name, lm.vocabulary_size, lm.context_length) == ("stories-260k", 512, 512)
    assert lm.precision == "float32"
    assert lm.can_share_prefix
    assert not lm.has_chat_template
    assert said == []  # nothing is downloaded, nothing converted
    assert not cache.exists()


def test_a_folder_gives_the_same_model_under_its_own_name(folder):
    mine, preset = load_model(folder), load_model("stories-260k")
    assert mine.name == "mine"
    assert mine.fingerprint == preset.fingerprint
    assert mine.tokenizer_fingerprint == preset.tokenizer_fingerprint
    assert load_model(str(folder)).fingerprint == preset.fingerprint


def test_a_changed_weight_changes_the_fingerprint(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    name = sorted(weights)[0]
    weights[name].view(-1)[0] += 1e-3
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_model(folder).fingerprint != load_model("stories-260k").fingerprint


def test_half_precision_weights_are_read_as_float32(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file(
        {k: v.to(torch.bfloat16) for k, v in weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    assert load_model(folder).precision == "float32"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt-9", r"'gpt-9' is no preset \(smollm2-135m, gemma-3-270m, stories-260k\), no folder"),
        ("a/b/c", "'a/b/c' is no preset"),
        ("./nowhere", "'./nowhere' is no preset"),
        ("/no/where", "'/no/where' is no preset"),
        ("~/models", "'~/models' is no preset"),
        ("", "'' is no preset"),
        ("nowhere.gguf", "there is no file nowhere.gguf"),
    ],
)
def test_a_name_of_nothing(name, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownModelError, match=message):
        load_model(name)


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(UnknownModelError, match=r"has no config\.json: the Hugging Face layout"):
        load_model(tmp_path)


def test_pickle_weights_are_not_read(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UnsafeModelError, match=r"has no \.safetensors file; pickle weights"):
        load_model(folder)


def test_pickle_weights_beside_a_decoy_are_not_read_either(folder):
    """A stray safetensors file must not open the door to the pickle."""
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    ran = folder / "ran"

    class Bomb:
        def __reduce__(self):
            return (ran.touch, ())

    torch.save({"x": Bomb()}, folder / "pytorch_model.bin")
    with pytest.raises((UnsafeModelError, ModelUnavailableError, UnknownModelError)):
        load_model(folder)
    assert not ran.exists()


def remote_code(folder):
    """Makes the folder want to run its own Python."""
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "homemade", "auto_map": {"AutoConfig": "code.Mine"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")


def test_remote_code_is_not_run_unless_asked(folder, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: "n")  # nobody is asked
    remote_code(folder)
    with pytest.raises(UnsafeModelError, match=r"wants to run its own Python code; .*--trust"):
        load_model(folder)
    assert not (folder / "ran").exists()


def test_a_family_that_transformers_does_not_know(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "unheard-of"}))
    with pytest.raises(UnknownModelError, match="transformers cannot load mine as a causal"):
        load_model(folder)


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xff" * 200])
def test_damaged_weights(folder, damage):
    (folder / "model.safetensors").write_bytes(damage)
    with pytest.raises((UnknownModelError, ModelUnavailableError, UnsafeModelError), match="mine"):
        load_model(folder)


@pytest.mark.parametrize("damage", ["{", "[]", "not json"])
def test_a_damaged_config(folder, damage):
    (folder / "config.json").write_text(damage)
    with pytest.raises((UnknownModelError, ModelUnavailableError), match="mine"):
        load_model(folder)


def test_a_folder_without_a_tokenizer(folder):
    (folder / "tokenizer.json").unlink()
    with pytest.raises((UnknownModelError, ModelUnavailableError), match="mine"):
        load_model(folder)


def test_a_hub_id_without_a_network(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelUnavailableError, match=r"nobody/nothing could not be had: .*presets"):
        load_model("nobody/nothing")


def test_presets_say_where_they_come_from():
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert preset.hub.count("/") == 1
        assert preset.licence
        assert preset.about
        assert bool(preset.packages) == (bundled_folder(name) is None)
        assert all("==" in p for p in preset.packages)  # pinned
        assert not preset.packages or len(preset.sha256) == 64


def test_a_preset_in_the_cache_is_loaded_from_there(cache, monkeypatch):
    preset = PRESETS["smollm2-135m"]
    monkeypatch.setattr(loading, "fetch_gguf", None)  # any download would be a TypeError
    assert not loading.is_cached(preset)
    folder = loading.converted_folder(preset.sha256)
    shutil.copytree(STORIES, folder)
    assert not loading.is_cached(preset)  # the mark of a whole conversion is missing
    (folder / "flowgauge.json").write_text("{}")
    assert loading.is_cached(preset)
    assert load_model("smollm2-135m").name == "smollm2-135m"


def test_terms_are_shown_before_a_download(cache, monkeypatch):
    said = []

    def fetch(preset, target, say):
        said.append("download")
        raise ModelUnavailableError("stop here")

    monkeypatch.setattr(loading, "fetch_gguf", fetch)
    with pytest.raises(ModelUnavailableError, match="stop here"):
        load_model("gemma-3-270m", say=said.append)
    assert "Gemma Terms of Use" in said[0]
    assert said[1] == "download"


def test_the_cache_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x"
    monkeypatch.delenv("FLOWGAUGE_CACHE")
    assert cache_folder().name == "flowgauge"


def test_generate_is_reproducible_and_ends(cache):
    from flowgauge import Sampling

    lm = load_model("stories-260k")
    start = np.concatenate(([lm.bos_id], lm.tokenize("Once upon a time").ids))
    drawn = [
        lm.generate(start, 12, Sampling(), np.random.default_rng(seed)).tolist()
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) <= 12
