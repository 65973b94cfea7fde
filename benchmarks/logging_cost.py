"""What logging costs of a step: all of it, from the extra reads in the step to events.jsonl and TensorBoard.

    python benchmarks/logging_cost.py            writes docs/benchmarks/logging.json and prints the table

Steps with and without observation alternate, warm-up excluded; then the log of one step is timed on its own, as the
loop does it. A log is due every 50 steps or 2 seconds, so its share of the time is at most
(observed step - plain step + log) / the time between two logs.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from results import machine
from sections import write_section
from zerosum import recipes
from zerosum.api.assemble import assemble, describe_data, domain_of, find_data, settle
from zerosum.api.habits import Care, habits, open_bus
from zerosum.engine.clock import LOG_SECONDS, LOG_STEPS
from zerosum.engine.engine import Engine
from zerosum.engine.loop import Loop
from zerosum.engine.plan import Plan
from zerosum.engine.run import RunFolder

CASES = (("gan", "ring"), ("mlp", "digits"), ("quick", "digits"), ("dcgan-lite", "digits"))
ROUNDS = 15


def measure(name: str, source: str, folder: Path) -> dict[str, float | str]:
    """Medians in seconds, and the share of the time that logging takes."""
    recipe = recipes.recipe(name).override({"steps": 1000})
    dataset = find_data(recipe, source)
    recipe = settle(recipe, dataset)
    engine = Engine("cpu")
    training = assemble(recipe, dataset, engine, Plan.of(recipe, len(dataset.train)))
    run = RunFolder.create(folder / name, {"recipe": recipe.to_dict(), "data": describe_data(dataset)})
    bus, watcher = open_bus(run, 0, Care())
    domain = domain_of(recipe, dataset)
    loop = Loop(training, run, bus, habits(run, recipe, domain, dataset, Care(), watcher))
    for _ in range(5):
        loop._log(training.take_step(observe=True))
    plain, observed, logs = [], [], []
    for _ in range(ROUNDS):
        plain.append(timed(lambda: training.take_step(observe=False))[0])
        spent, seen = timed(lambda: training.take_step(observe=True))
        observed.append(spent)
        logs.append(timed(lambda seen=seen: loop._log(seen))[0])
    bus.close()
    step, watched, log = (statistics.median(times) for times in (plain, observed, logs))
    between = min(LOG_STEPS * step, max(LOG_SECONDS, step))
    share = (max(0.0, watched - step) + log) / between
    return {"recipe": name, "data": source, "step": step, "observed": watched, "log": log, "share": share}


def timed(work):  # type: ignore[no-untyped-def]
    """Seconds, and what the work returned."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def main() -> None:
    rows = []
    print(f"{torch.get_num_threads()} threads, {ROUNDS} rounds, medians")
    with tempfile.TemporaryDirectory() as folder:
        for name, source in CASES:
            row = measure(name, source, Path(folder))
            rows.append(row)
            print(
                f"{name:12} step {1e3 * row['step']:8.2f} ms   observed {1e3 * row['observed']:8.2f} ms   "
                f"log {1e3 * row['log']:6.2f} ms   share {row['share']:.2%}",
                flush=True,
            )
    about = {"machine": machine(), "threads": torch.get_num_threads(), "rounds": ROUNDS, "rows": rows}
    write_section("logging", about, section(about))


def section(about: dict[str, Any]) -> list[str]:
    """The section of docs/benchmarks.md."""
    lines = [
        "## What logging costs",
        "",
        f"`python benchmarks/logging_cost.py` on {about['machine']}, {about['threads']} threads, medians of "
        f"{about['rounds']} rounds after a warm-up. A plain step, the same step when it is observed (D's answers, "
        "accuracies and gradient norms), and the log itself (the read from the device, events.jsonl, TensorBoard). A "
        "log is due every 50 steps or 2 seconds; the share is that of all logging in the time of training.",
        "",
        "| recipe | step, ms | observed, ms | log, ms | share |",
        "|---|---|---|---|---|",
    ]
    for row in about["rows"]:
        step, observed, log = (f"{1e3 * row[key]:.2f}" for key in ("step", "observed", "log"))
        lines.append(f"| `{row['recipe']}` on {row['data']} | {step} | {observed} | {log} | {row['share']:.2%} |")
    return lines


if __name__ == "__main__":
    main()
