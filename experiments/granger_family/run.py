"""Train members on known autoregressions, read coefficients and transfer entropies off them.

python experiments/granger_family/run.py --quick    two data sets, own folder
python experiments/granger_family/run.py            everything, minutes on one core
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from flowgauge.flow.pairwise import pairwise_transfer_entropies  # noqa: E402
from granger_family import fits  # noqa: E402

TIME, ITERATIONS = 64, 150
OLS, OLS_LONG = "least squares, true order", f"least squares, {fits.READ} lags"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Everything: fits, summary, result.json, the tables of README.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two data sets, few iterations")
    parser.add_argument("--data-sets", type=int, default=8)
    parser.add_argument("--sequences", type=int, default=64, help="in a data set, of 64 steps")
    parser.add_argument("--out", type=Path, help="folder of result.json and README.md")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    sets, iterations = (2, 20) if options.quick else (options.data_sets, ITERATIONS)
    out = options.out or (HERE.parents[1] / "runs" / "granger_family" if options.quick else HERE)
    out.mkdir(parents=True, exist_ok=True)
    started = time.process_time()
    processes = {
        name: process(name, sets, options.sequences, iterations) for name in fits.PROCESSES
    }
    result = {
        "settings": {
            "data_sets": sets,
            "sequences": options.sequences,
            "time": TIME,
            "iterations": iterations,
            "innovations": fits.NOISE.tolist(),
        },
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("flowgauge", "numpy", "scipy", "torch")},
        },
        "cpu_seconds": round(time.process_time() - started, 1),
        "processes": processes,
    }
    text = json.dumps(result, indent=1, allow_nan=False)
    (out / "result.json").write_text(text + "\n", encoding="utf-8")
    write_tables(out / "README.md", tables(result))
    return result


def process(name: str, sets: int, sequences: int, iterations: int) -> dict[str, Any]:
    """All ways on all data sets of one process, and what they amount to."""
    truth = fits.PROCESSES[name]
    order = len(truth)
    found: dict[str, list[fits.Fit]] = {way: [] for way in (OLS, OLS_LONG, *fits.MEMBERS)}
    for seed in range(sets):
        rng = np.random.default_rng(seed)
        data, fresh = (fits.simulate(truth, sequences, TIME, rng) for _ in range(2))
        found[OLS].append(fits.least_squares(data, fresh, order, order))
        found[OLS_LONG].append(fits.least_squares(data, fresh, order, fits.READ))
        for member in fits.MEMBERS:
            trained = fits.trained(member, data, seed, iterations)
            found[member].append(fits.read(trained, data, fresh, order))
            print(f"{name} {seed} {member}: mse {found[member][-1].mse:.4f}", flush=True)
    exact = pairwise_transfer_entropies(truth, fits.NOISE)
    ways = {way: summary(each, found, truth, exact) for way, each in found.items()}
    for member in fits.MEMBERS:
        lens = [f.lens for f in found[member] if f.lens is not None]
        ways[member]["lens_rmse"] = interval([rmse(a[:order], truth) for a in lens])
    return {
        "coefficients": truth.tolist(),
        "rmse_of_zeros": rmse(truth, 0.0),
        "transfer_entropies_nats": exact.tolist(),
        "ways": ways,
    }


def summary(
    each: list[fits.Fit], found: dict[str, list[fits.Fit]], truth: fits.Floats, exact: fits.Floats
) -> dict[str, Any]:
    """Numbers of one way over data sets; intervals are 95 % by Student's t over data sets."""
    order = len(truth)
    off = ~np.eye(fits.SERIES, dtype=bool)
    entropies = np.array([f.transfer_entropies for f in each])
    read = np.array([f.coefficients for f in each])
    coefficients = read[:, :order]
    errors = {
        way: [rmse(f.coefficients[:order], truth) for f in fitted] for way, fitted in found.items()
    }
    own = [rmse(a, truth) for a in coefficients]
    return {
        "parameters": each[0].parameters,
        "mse": interval([f.mse for f in each]),
        "fresh_mse": interval([f.fresh_mse for f in each]),
        "rmse": interval(own),
        "times_least_squares": factor(own, errors[OLS]),
        "times_least_squares_of_all_lags": factor(own, errors[OLS_LONG]),
        "mean_coefficients": coefficients.mean(0).tolist(),
        "coefficients_covered": covered(coefficients, truth),
        "beyond_rmse": interval([rmse(a[order:], 0.0) for a in read]),
        "entropy_rmse_nats": interval([rmse(t[off], exact[off]) for t in entropies]),
        "entropy_times_least_squares": factor(
            [rmse(t[off], exact[off]) for t in entropies],
            [rmse(f.transfer_entropies[off], exact[off]) for f in found[OLS]],
        ),
        "mean_entropies_nats": entropies.mean(0).tolist(),
        "entropy_half_widths_nats": half_width(entropies).tolist(),
    }


def rmse(found: fits.Floats, truth: Any) -> float:
    """Root mean square error over entries."""
    return float(np.sqrt(np.mean((found - truth) ** 2)))


def half_width(values: fits.Floats) -> fits.Floats:
    """Half of the 95 % interval of the mean over the first axis."""
    n = len(values)
    return stats.t.ppf(0.975, n - 1) * values.std(0, ddof=1) / np.sqrt(n)


def interval(values: list[float]) -> list[float]:
    """Mean, low, high."""
    mean, half = float(np.mean(values)), float(half_width(np.array(values)))
    return [mean, mean - half, mean + half]


def factor(above: list[float], below: list[float]) -> list[float] | None:
    """Geometric mean of paired ratios with its interval; None where all are the same."""
    logs = np.log(np.array(above) / np.array(below))
    return None if not logs.any() else [float(x) for x in np.exp(interval(logs.tolist()))]


def covered(values: fits.Floats, truth: fits.Floats) -> list[int]:
    """How many entries have the truth in the 95 % interval of their mean, of how many."""
    inside = np.abs(values.mean(0) - truth) <= half_width(values)
    return [int(inside.sum()), int(inside.size)]


def tables(result: dict[str, Any]) -> str:
    """Two tables a process, in Markdown."""
    lines = []
    for name, process_ in result["processes"].items():
        lines += [f"### {name}: coefficients", ""]
        head = "way | weights | MSE, own data | MSE, fresh data | RMSE of coefficients | "
        head += "× least squares | × least squares of all lags | means covered | "
        head += "RMSE at later lags | RMSE of mean A"
        lines += [f"| {head} |", "|---|" + "---:|" * 9]
        zeros = f"{process_['rmse_of_zeros']:.4f}"
        lines.append(f"| zeros |{' – |' * 3} {zeros} |{' – |' * 4} {zeros} |")
        for way, w in process_["ways"].items():
            row = [way, str(w["parameters"]), f"{w['mse'][0]:.4f}", f"{w['fresh_mse'][0]:.4f}"]
            row += [shown(w["rmse"]), shown(w["times_least_squares"], 2)]
            row += [shown(w["times_least_squares_of_all_lags"], 2)]
            row += ["{} of {}".format(*w["coefficients_covered"]), f"{w['beyond_rmse'][0]:.4f}"]
            row += [shown(w.get("lens_rmse"))]
            lines.append(f"| {' | '.join(row)} |")
        pairs = [(x, y) for x in range(fits.SERIES) for y in range(fits.SERIES) if x != y]
        lines += ["", f"### {name}: transfer entropies [nats per step]", ""]
        titles = " | ".join(f"{x} → {y}" for x, y in pairs)
        lines += [f"| way | {titles} | RMSE | × least squares |", "|---|" + "---:|" * 8]
        exact = process_["transfer_entropies_nats"]
        row = " | ".join(f"{exact[x][y]:.4f}" for x, y in pairs)
        lines.append(f"| closed form | {row} | – | – |")
        for way, w in process_["ways"].items():
            mean, half = w["mean_entropies_nats"], w["entropy_half_widths_nats"]
            row = " | ".join(f"{mean[x][y]:.4f} ± {half[x][y]:.4f}" for x, y in pairs)
            rest = f"{shown(w['entropy_rmse_nats'])} | {shown(w['entropy_times_least_squares'], 2)}"
            lines.append(f"| {way} | {row} | {rest} |")
        lines.append("")
    return "\n".join(lines)


def shown(numbers: list[float] | None, digits: int = 4) -> str:
    """Mean [low, high]."""
    if numbers is None:
        return "–"
    mean, low, high = (f"{x:.{digits}f}" for x in numbers)
    return f"{mean} [{low}, {high}]"


def write_tables(page: Path, text: str) -> None:
    """Between the markers of a page; a page of its own where there is none."""
    first, last = "<!-- tables -->", "<!-- /tables -->"
    old = page.read_text(encoding="utf-8") if page.exists() else f"{first}\n{last}\n"
    before, rest = old.split(first, 1)
    after = rest.split(last, 1)[1]
    page.write_text(f"{before}{first}\n\n{text}\n{last}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
