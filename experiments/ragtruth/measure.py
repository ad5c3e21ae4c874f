"""One run a set and observer, by flowgauge's own door; killed and started again, it continues."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import flowgauge as fg


def run_folder(runs: Path, observer: str, name: str, quick: bool) -> Path:
    """Where the run of one set and observer lives."""
    return runs / ("quick" if quick else "whole") / observer / name


def _progress(label: str) -> Callable[[int, int], None]:
    started = last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 20 or done == total:
            last = now
            print(f"  {label}: {done}/{total} after {now - started:.0f} s", flush=True)

    return tell


def measured(
    records: Mapping[str, Sequence[fg.Record]], observer: str, runs: Path, *, quick: bool
) -> dict[str, fg.Run]:
    """The runs of some sets with one observer, made or continued.

    Documents that do not fit the observer are cut, which its rows then say.
    """
    lm = fg.load_model(observer)
    settings = fg.Settings(truncate=True)
    out = {}
    for name, rows in records.items():
        folder = run_folder(runs, observer, name, quick)
        folder.parent.mkdir(parents=True, exist_ok=True)
        tell = _progress(f"{observer}, {name}")
        out[name] = fg.measure(rows, lm, out=folder, resume=True, settings=settings, progress=tell)
    return out


def opened(
    records: Mapping[str, Sequence[fg.Record]], observer: str, runs: Path, *, quick: bool
) -> dict[str, fg.Run]:
    """The runs of some sets as they stand on disk; nothing is measured."""
    return {n: fg.open_run(run_folder(runs, observer, n, quick)) for n in records}
