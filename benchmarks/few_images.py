"""What augmentation does for a small data set: 500 of MNIST's digits, and the same recipe with and without it.

    python benchmarks/few_images.py                 every row that is not there yet, one after the other
    python benchmarks/few_images.py none ada        of these ways alone; two calls at a time take a thread each

A row is `quick` on the same 500 images without their classes (with them each class of an augmented run fell to one
image) for as many steps, of one way and seed. Its last checkpoint and its best one are judged by 10,000 samples
against MNIST's test images, which no run has seen; and what the watch said of it. To make one anew, delete its file.
docs/benchmarks.md's section on few images.
"""

from __future__ import annotations

import argparse
import json
import statistics
from typing import Any

from PIL import Image

import results
from results import ROOT, begin_or_finish, machine, zerosum
from sections import FOLDER, write_section
from zerosum.data import open_dataset

IMAGES, STEPS, SEEDS = 500, 18_000, (0, 1, 2)
DATA, RUNS, KEPT = ROOT / "runs" / "few" / "images", ROOT / "runs" / "few", FOLDER / "few"
ROWS = {
    "none": (),
    "diffaug": ("--set", "augment=diffaug"),
    "ada": ("--set", "augment=shift,scale,rotation,stretch", "--set", "ada_target=0.6", "--set", "ada_images=30000"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=", ".join(ROWS))
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    if unknown := set(told.rows) - set(ROWS):
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    prepare()
    for seed in SEEDS:
        for name in told.rows or ROWS:
            path = KEPT / f"{name}-{seed}.json"
            if not path.exists():
                print(path.stem, flush=True)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(measure(name, seed, told.threads), indent=1) + "\n")
    files = {name: sorted(KEPT.glob(f"{name}-[0-9].json")) for name in ROWS}
    found = {name: [json.loads(path.read_text()) for path in some] for name, some in files.items() if some}
    about = {"machine": machine(), "rows": found}
    write_section("few", about, section(about))


def prepare() -> None:
    """The first 50 training images of each class, each class in a folder of its own."""
    if DATA.exists():
        return
    digits = open_dataset("mnist").train
    assert digits.labels is not None
    for label in range(10):
        folder = DATA / str(label)
        folder.mkdir(parents=True)
        for index in (digits.labels == label).nonzero()[0][: IMAGES // 10]:
            Image.fromarray(digits.samples[index, :, :, 0]).save(folder / f"{index:05d}.png")


def measure(name: str, seed: int, threads: int) -> dict[str, Any]:
    run = RUNS / f"{name}-{seed}"
    more = ("--steps", str(STEPS), "--seed", str(seed))
    told = ("quick", "--data", f"folder:{DATA}", "--size", "28", "--set", "classes=ignored", *ROWS[name], *more)
    begin_or_finish(run, threads, *told)
    fids = {}
    for checkpoint in ("last", "best"):
        judge = ("--against", "mnist", "-n", "10000", "--metric", "fid", "--checkpoint", checkpoint, "--json")
        judged = json.loads(zerosum(threads, "eval", str(run), *judge))
        fids[checkpoint] = next(figure["value"] for figure in judged["figures"] if figure["name"] == "fid")
    said = results.events(run)
    verdicts = [event["verdict"] for event in said if event["event"] == "verdict"]
    command = " ".join(("zerosum train", *told)).replace(str(DATA), "FEW")
    end = [event for event in said if event["event"] == "end"][-1]
    return {
        "command": command,
        "minutes": round(end["seconds"] / 60, 1),
        "images": end["images"],
        "fids": fids,
        "verdicts": sorted(set(verdicts)),
        "last": verdicts[-1] if verdicts else None,
    }


def section(about: dict[str, Any]) -> list[str]:
    lines = [
        "## Few images",
        "",
        f"`python benchmarks/few_images.py` on {about['machine']}, one thread: `quick` on {IMAGES} of MNIST's training "
        f"images for {STEPS:,} steps each, without their classes; Frechet distance by digits-net of 10,000 samples to "
        "MNIST's test images, the median and the least and most of the seeds. "
        + ("`ada` is its geometry, shift, scale, rotation and stretch, with its p. " if "ada" in about["rows"] else "")
        + "The best checkpoint is chosen by what training can know, the few held-out "
        "images: without augmentation it comes early, before the training images are known by heart, and is nearer to "
        "the test images than what DiffAugment ends with; what it ends with itself is further away."
        + (
            " ADA is nearer at both, though it, too, has begun to know images by heart."
            if better(about["rows"])
            else ""
        ),
        "",
        "| augmentation | seeds | at the end | best checkpoint | images | ended as | ever `memorising` |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rows in about["rows"].items():
        ends = ", ".join(sorted({row["last"] or "too early" for row in rows}))
        ever = sum("memorising" in row["verdicts"] for row in rows)
        images = statistics.median(row["images"] for row in rows)
        cells = [cell([row["fids"][checkpoint] for row in rows]) for checkpoint in ("last", "best")]
        cells = [name, str(len(rows)), *cells, f"{images:,.0f}", ends, f"{ever} of {len(rows)}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def better(rows: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether every run of ADA is nearer than every other one at both checkpoints, and ends as memorising."""
    if "ada" not in rows:
        return False
    others = [row for name, some in rows.items() if name != "ada" for row in some]
    return all(
        row["last"] == "memorising"
        and all(row["fids"][at] < min(other["fids"][at] for other in others) for at in row["fids"])
        for row in rows["ada"]
    )


def cell(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    main()
