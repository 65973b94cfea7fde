"""Train every recipe for real and write docs/results.md: one row at a time, so that it can be stopped and gone on with.

    python benchmarks/results.py --limit 30 --threads 2    all rows that are not there yet, each at its own length
    python benchmarks/results.py mlp dcgan-lite            these rows: gone on with where they were stopped, else anew
    python benchmarks/results.py mlp --run DIR             this row from a training of it that is there already
    python benchmarks/results.py --table                   the page from the rows that are there

A row is docs/results/NAME.json with its picture. The runs themselves stay in runs/results/; one that was stopped by
the limit, or killed, is resumed by naming its row. On its way a run is stopped at each of MARKS and gone on with, and
its checkpoint of that moment is copied to runs/marks/NAME/MINUTES, for whoever judges quality over time.
MNIST, Fashion-MNIST and the anime faces are read from ZEROSUM_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sections import contents
from zerosum.bench.race import environment

ROOT = Path(__file__).resolve().parents[1]
WIDE = "AVX-512"  # such a machine makes up to five times as many images in the same time
STARTUP = 10  # seconds before the first step
ROWS, RUNS, MARKED = ROOT / "docs" / "results", ROOT / "runs" / "results", ROOT / "runs" / "marks"
MARKS = (2, 5, 10, 20, 30)  # minutes of training


@dataclass(frozen=True)
class Row:
    """One training, of its recipe's own length unless `minutes` gives another."""

    name: str
    arguments: tuple[str, ...]
    says: str = ""  # the source's own end figures, and what differs
    minutes: float | None = None


FACES = "folder:$ZEROSUM_DATA/faces/anime64.tar"
PLAN = (
    Row("quick", ("quick",)),
    Row("quick-fashion", ("quick", "--data", "fashion-mnist")),
    Row("quick-faces", ("quick", "--data", FACES), minutes=10),
    Row("gan-ring", ("gan", "--data", "ring")),
    Row("gan-grid", ("gan", "--data", "grid")),
    Row("gan", ("gan", "--data", "mnist")),
    Row("mlp", ("mlp", "--data", "mnist"), "grids from iteration 1,000 to 187,000; lowest G loss near epoch 30"),
    Row("mlp-fashion", ("mlp", "--data", "fashion-mnist")),
    Row("dcgan-smooth", ("dcgan-smooth", "--data", "mnist"), "digits that can be read after 8 short epochs"),
    Row("dcgan-lite", ("dcgan-lite", "--data", "mnist"), "digits after 100 epochs"),
    Row(
        "dcgan-k2",
        ("dcgan-k2", "--data", "mnist"),
        "after 100 epochs: D 0.682, G 0.690, D right on 70% of the real and 77% of the fake",
    ),
    Row(
        "dcgan-faces",
        ("dcgan-faces", "--data", FACES),
        "after 30 epochs of 497 iterations: D 0.1113, G 4.0270, D(x) 0.9619, D(G(z)) 0.0659 / 0.0258; an epoch has 63 "
        "iterations here, so the ends are not comparable",
    ),
    Row("dcgan-digits", ("dcgan-digits", "--data", "mnist"), "after 5,000 iterations: D 0.593, G 0.833"),
    Row(
        "per-class",
        ("dcgan-digits", "--data", "digits", "--per-class", "--steps", "1000"),
        "ten models of 1,000",
    ),
    Row("lsgan", ("lsgan", "--data", "mnist")),
    Row("wgan", ("wgan", "--data", "mnist")),
    Row("wgan-gp", ("wgan-gp", "--data", "mnist")),
    Row("cgan", ("cgan", "--data", "mnist")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--limit", type=float, default=30.0, help="minutes after which a training is stopped")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--run", type=Path, help="the row's run, as benchmarks/quality.py trained it, say")
    parser.add_argument("--table", action="store_true", help="only write the page")
    options = parser.parse_args()
    if options.run is not None:
        (row,) = (row for row in PLAN if [row.name] == options.rows)
        told = replace(row, minutes=round(minutes(options.run)))  # as it was trained, and may be again in one go
        write_row(told, options.run, options.threads)
    elif not options.table:
        for row in PLAN:
            wanted = row.name in options.rows if options.rows else not (ROWS / f"{row.name}.json").exists()
            if wanted:
                measure(row, options.limit, options.threads)
                write_page()
    write_page()


def measure(row: Row, limit: float, threads: int) -> None:
    """Train the row, or go on with its run, for at most `limit` minutes; then write it."""
    run = RUNS / row.name
    arguments = [os.path.expandvars(argument) for argument in row.arguments]
    program = [sys.executable, "-m", "zerosum"]
    if run.exists() and is_whole(run):
        shutil.rmtree(run)
    fresh = [*program, "train", *arguments, *length(row), "--out", str(run)]
    for mark in sorted({mark for mark in MARKS if mark < limit} | {limit}):
        if not (run.exists() and is_whole(run)) and minutes(run) < mark:
            left = mark - minutes(run)
            train([*program, "resume", str(run)] if run.exists() else fresh, left, environment(threads))
            keep(run, f"{mark:g}")
    write_row(row, run, threads)


def length(row: Row) -> list[str]:
    return [] if row.minutes is None else ["--minutes", f"{row.minutes:g}"]


def write_row(row: Row, run: Path, threads: int) -> None:
    """The row's JSON and its grid, from its run."""
    ROWS.mkdir(parents=True, exist_ok=True)
    summary = fleet(run) if (run / "fleet.json").exists() else single(run)
    picture = ROWS / f"{row.name}.png"
    drawn = str(summary.pop("drawn"))
    if summary.pop("points", False):
        shutil.copy(last_grid(run), picture)
    else:
        zerosum(threads, "sample", str(run), "-n", drawn, "--out", str(picture))
    shown = " ".join(["zerosum train", *row.arguments, *length(row)])
    about = {"name": row.name, "command": shown, "threads": threads, "machine": machine(), **summary}
    (ROWS / f"{row.name}.json").write_text(json.dumps(about, indent=1) + "\n")


def train(command: list[str], limit: float, env: dict[str, str]) -> None:
    """Run a training to its own end, or stop it as SIGTERM does, with a checkpoint, when the minutes are over."""
    print(" ".join(command), flush=True)
    process = subprocess.Popen(command, env=env)
    try:
        code = process.wait(60 * limit + STARTUP)
    except subprocess.TimeoutExpired:
        process.terminate()
        code = process.wait()
    if code not in (0, 128 + signal.SIGTERM):
        raise SystemExit(f"the training ended with {code}: {' '.join(command)}")


def parts(run: Path) -> list[Path]:
    """The run itself, or the members of a fleet that have begun."""
    return [path.parent for path in sorted(run.glob("*/run.json"))] or [run]


def minutes(run: Path) -> float:
    """How long a run, or a fleet's members together, have trained."""
    ends = [[event["seconds"] for event in events(part) if event["event"] == "end"] for part in parts(run)]
    return sum(seconds[-1] for seconds in ends if seconds) / 60


def keep(run: Path, mark: str) -> None:
    """Copy the checkpoint of this moment, for it is overwritten when the run goes on."""
    last, copy = run / "checkpoints" / "last", MARKED / run.name / mark
    if last.exists():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(last, copy)


def zerosum(threads: int, *arguments: str) -> str:
    """What a command says on standard output."""
    command = [sys.executable, "-m", "zerosum", *arguments]
    return subprocess.run(command, check=True, env=environment(threads), stdout=subprocess.PIPE, text=True).stdout


def begin_or_finish(run: Path, threads: int, *told: str) -> None:
    """Train `told` into the run; one that is there and was stopped goes on to its end."""
    if not run.exists():
        zerosum(threads, "train", *told, "--out", str(run), "-q")
    elif not is_whole(run):
        zerosum(threads, "resume", str(run), "-q")


def shown(words: Sequence[str]) -> str:
    """Words as a shell takes them: JSON in quotes, a variable as it is."""
    return " ".join(f"'{word}'" if {'"', "["} & set(word) else word for word in words)


def is_whole(run: Path) -> bool:
    """Whether a run ended by itself, so that it is done anew and not resumed."""
    folders = parts(run)
    if (run / "fleet.json").exists() and len(folders) < len(json.loads((run / "fleet.json").read_text())["labels"]):
        return False
    return all(any(e["event"] == "end" and e["reason"] == "finished" for e in events(path)) for path in folders)


def events(run: Path) -> list[dict[str, Any]]:
    path = run / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def last_grid(run: Path) -> Path:
    return max((run / "samples").glob("[0-9]*.png"), key=lambda path: int(path.stem))


def single(run: Path) -> dict[str, Any]:
    """The end of a run: its last figures as means over its last twenty logged steps."""
    said = events(run)
    end = [event for event in said if event["event"] == "end"][-1]  # a warning may come after it
    steps = [event for event in said if event["event"] == "step"]
    tail = steps[-20:]
    scores = [event for event in said if event["event"] == "score"]
    info = json.loads((run / "run.json").read_text())

    def mean(name: str) -> float | None:
        values = [step[name] for step in tail if step[name] is not None]
        return round(statistics.fmean(values), 4) if values else None

    losses = {name: [s["losses"][name] for s in tail if name in s["losses"]] for name in steps[-1]["losses"]}
    return {
        "steps": end["step"],
        "images": end["images"],
        "of_steps": None if info["horizon"] is None else info["horizon"]["steps"],
        "minutes": round(end["seconds"] / 60, 1),
        "images_per_second": round(end["images"] / end["seconds"], 1),
        "passes": round(end["images"] / info["data"]["train"], 2),
        "losses": {name: round(statistics.fmean(values), 4) for name, values in losses.items()},
        **{name: mean(name) for name in ("d_real", "d_fake_before", "d_fake_after", "acc_real", "acc_fake")},
        "best": min(([s["name"], round(s["value"], 3), s["step"]] for s in scores), key=lambda s: s[1], default=None),
        "points": info["data"]["kind"] == "points",
        "drawn": 50 if info["recipe"]["classes"] != "ignored" and info["data"]["classes"] else 49,
    }


def fleet(run: Path) -> dict[str, Any]:
    """Sums and means over the members of a fleet."""
    members = [single(part) for part in parts(run)]
    means = {
        name: round(statistics.fmean(member[name] for member in members), 4)
        for name in ("d_real", "d_fake_before", "d_fake_after", "acc_real", "acc_fake")
    }
    losses = {name: round(statistics.fmean(m["losses"][name] for m in members), 4) for name in members[0]["losses"]}
    return {
        "steps": sum(member["steps"] for member in members),
        "images": sum(member["images"] for member in members),
        "minutes": round(sum(member["minutes"] for member in members), 1),
        "images_per_second": round(statistics.fmean(member["images_per_second"] for member in members), 1),
        "of_steps": None,
        "passes": round(statistics.fmean(member["passes"] for member in members), 2),
        "losses": losses,
        **means,
        "best": None,
        "members": len(members),
        "drawn": 10,
    }


def held() -> bool:
    """Whether torch has been told to leave AVX-512 alone, as by ATEN_CPU_CAPABILITY=avx2."""
    return os.environ.get("ATEN_CPU_CAPABILITY") == "avx2"


def machine() -> str:
    """The processor's name, family and model, whether it has AVX-512, and the number of processors of this machine."""
    try:
        told = Path("/proc/cpuinfo").read_text()
        lines = [line.split(":", 1) for line in told.partition("\n\n")[0].splitlines() if ":" in line]
        about = {key.strip(): value.strip() for key, value in lines}
        name = about["model name"]
        if {"cpu family", "model"} <= about.keys():  # a name alone may stand for several generations
            name += f" (family {about['cpu family']}, model {about['model']})"
        if "avx512f" in told:
            name += f" with {WIDE}, held to AVX2" if held() else f" with {WIDE}"
    except (OSError, KeyError):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} processors"


def write_page() -> None:
    """docs/results.md from the rows that are there."""
    rows = {path.stem: json.loads(path.read_text()) for path in ROWS.glob("*.json")}
    lines = []
    for part in ("quality.md", "translation.md", "texts.md"):  # quality.py, translation.py and texts.py write these
        if (ROWS / part).exists():
            lines += [(ROWS / part).read_text()]
    lines += [HEAD]
    for row in PLAN:
        if row.name in rows:
            lines += table_row(rows[row.name])
    for row in PLAN:
        if row.name in rows:
            lines += section(row, rows[row.name])
    (ROOT / "docs" / "results.md").write_text("\n".join(["# Results", "", contents(lines), *lines]) + "\n")


HEAD = """## Single runs

Real runs, most of them stopped after half an hour and so before their recipe's own end (a row's section says how far it
came), made by `python benchmarks/results.py`, which says how to make them again, on more than one machine. Figures at
the end of a run are means over its last twenty logged steps. `best` is the lowest score and its step: `fid`, the
Frechet distance by digits-net of the samples of a score on the way, where real halves are about 0.3 apart; in rows from
before there was one, `swd`, the sliced Wasserstein distance of 1,000 samples to 1,000 held-out images in thousandths,
where two sets of 1,000 real digits are about 40 to 60 apart (points: in their own unit); or G's loss as an epoch's mean
where the recipe chooses by that. D's accuracies are the shares of real and of fake samples that D judges rightly; log 2
= 0.693 is the cross-entropy of a D that can't tell. Trainings that share a machine slow each other down: the images a
second here say little about speed.

| recipe | images | minutes | images/s | D | G | D right: real / fake | best |
|---|---|---|---|---|---|---|---|"""


def table_row(row: dict[str, Any]) -> list[str]:
    d = sum(value for name, value in row["losses"].items() if name in ("D/adv", "D/real", "D/fake"))
    accuracies = " / ".join("" if row[name] is None else f"{row[name]:.0%}" for name in ("acc_real", "acc_fake"))
    best = "" if row["best"] is None else f"{row['best'][0]} {row['best'][1]:g} at {row['best'][2]:,}"
    return [
        f"| [{row['name']}](#{row['name']}) | {row['images']:,} | {row['minutes']:g} | {row['images_per_second']:,.0f} "
        f"| {d:.3f} | {row['losses'].get('G/adv', float('nan')):.3f} | {accuracies} | {best} |"
    ]


def where(row: dict[str, Any]) -> str:
    """`2 threads of MACHINE`, for a row that holds both."""
    return f"{row['threads']} thread{'s' if row['threads'] > 1 else ''} of {row['machine']}"


def share(row: dict[str, Any]) -> str:
    """`of 187,400 ` where a run was stopped before its own end."""
    whole = row["of_steps"]
    return f"of {whole:,} " if whole is not None and whole > row["steps"] else ""


def section(plan: Row, row: dict[str, Any]) -> list[str]:
    losses = ", ".join(f"{name} {value:.4f}" for name, value in row["losses"].items())
    seen = ", ".join(
        f"{label} {row[name]:.4f}"
        for name, label in (("d_real", "D(x)"), ("d_fake_before", "D(G(z)) before"), ("d_fake_after", "after"))
        if row[name] is not None
    )
    lines = [
        "",
        f"### {row['name']}",
        "",
        f"`{row['command']}` on {where(row)}:",
        f"{row['steps']:,} {share(row)}steps, {row['passes']:g} passes over the data, {row['minutes']:g} minutes.",
        f"At the end {losses}; {seen}.",
    ]
    if plan.says:
        lines += ["", f"The source: {plan.says}."]
    return [*lines, "", f"![samples of {row['name']}](results/{row['name']}.png)"]


if __name__ == "__main__":
    main()
