"""Trainings that were run, a line of JSON each: what was killed goes on where it was."""

import json
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from recall.plan import Plan
from recall.training import Job, train

FILE = "trainings.jsonl"


def read(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """Trainings of a plan that were finished; those of other steps or sizes are left out.

    A last line that was cut off by a kill is taken off the file.
    """
    file = folder / FILE
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.write_text(whole, encoding="utf-8")
    found = [json.loads(line) for line in whole.splitlines()]
    alike = {"steps": plan.steps, "size": asdict(plan.size)}
    return [o for o in found if {name: o[name] for name in alike} == alike]


def is_done(job: Job, done: Iterable[dict[str, Any]]) -> bool:
    """Whether a job's training is among those that were finished."""
    wanted = asdict(job)
    return any({name: o[name] for name in wanted} == wanted for o in done)


def run(plan: Plan, folder: Path, processes: int, say: Callable[[str], None]) -> list[dict]:
    """Trains what a plan lacks, task by task: the sweeps, then the reported seeds.

    Args:
        plan: What is to be trained.
        folder: Where finished trainings are kept.
        processes: Trainings at a time, one thread each.
        say: Progress.

    Returns:
        All trainings of the plan.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = read(folder, plan)
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(processes, mp_context=spawn) as pool,
        (folder / FILE).open("a", encoding="utf-8") as file,
    ):
        for task in plan.tasks():
            while jobs := plan.sweep(task, done):
                done += _train(jobs, pool, file, say)
            jobs = [job for job in plan.report(task, done) if not is_done(job, done)]
            done += _train(jobs, pool, file, say)
    return done


def _train(
    jobs: Sequence[Job], pool: Executor, file: IO[str], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Each job once, its line written when it ends."""
    out = []
    for future in as_completed([pool.submit(train, job) for job in jobs]):
        outcome = future.result()
        file.write(json.dumps(outcome) + "\n")
        file.flush()
        out.append(outcome)
        say(
            f"{len(out)}/{len(jobs)} {outcome['member']} {outcome['task']} rate "
            f"{outcome['rate']:g} seed {outcome['seed']}: accuracy "
            f"{outcome['accuracy']['seen']:.3f}, {outcome['seconds']:.0f} s"
        )
    return out
