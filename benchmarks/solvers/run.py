"""The solvers against their yardsticks: `python benchmarks/solvers/run.py [--quick] [--json]`.

rd_step_vs_log_softmax  rate–distortion step over 16 multipliers / 16 log-softmax   target ≤ 12
gw_bounds_vs_pot        Gromov–Wasserstein bounds / POT's Gromov–Wasserstein        target ≤ 0.2
accuracy                mutual information estimators on Gaussian tasks with known answers
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
from common import arguments, finish
from estimators import accuracy_table
from geometry import gw_bounds_vs_pot
from rate import rd_step_vs_log_softmax

TARGETS = {"rd_step_vs_log_softmax": 12.0, "gw_bounds_vs_pot": 0.2}


def main() -> None:
    """Both ratios, then the table."""
    args = arguments(__doc__.splitlines()[0])
    # small operations on two threads wait for each other whenever something else runs
    torch.set_num_threads(1)
    result = {
        "rd_step_vs_log_softmax": round(rd_step_vs_log_softmax(args.quick), 3),
        "gw_bounds_vs_pot": round(gw_bounds_vs_pot(args.quick), 4),
        "accuracy": accuracy_table(args.quick),
    }
    lines = [f"{name} {result[name]} (target ≤ {goal})" for name, goal in TARGETS.items()]
    lines += [
        "  ".join(f"{key} {value}" for key, value in row.items()) for row in result["accuracy"]
    ]
    finish(result, args, Path(__file__).parent, "\n".join(lines))


if __name__ == "__main__":
    main()
