"""What augmentation does for a small data set: 500 of MNIST's digits, and the same recipe with and without it.

    python benchmarks/few_images.py                 every row that is not there yet, one after the other
    python benchmarks/few_images.py none diffaug    these rows; two calls at a time take a thread each

Each row is `quick` on the same 500 images for the same number of steps, judged by 10,000 samples against MNIST's test
images, which no run has seen; and what the watch said of it. docs/benchmarks.md's section on few images.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from PIL import Image

import results
from results import ROOT, begin_or_finish, machine, zerosum
from sections import FOLDER, write_section
from zerosum.data import open_dataset

IMAGES, STEPS = 500, 10_000
DATA, RUNS, KEPT = ROOT / "runs" / "few" / "images", ROOT / "runs" / "few", FOLDER / "few"
ROWS = {
    "none": (),
    "translation-cutout": ("--set", "augment=translation,cutout"),
    "diffaug": ("--set", "augment=colour,translation,cutout"),
    "ada": ("--set", "augment=shift,scale,rotation,stretch", "--set", "ada_target=0.6", "--set", "ada_images=100000"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=", ".join(ROWS))
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    if unknown := set(told.rows) - set(ROWS):
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    prepare()
    for name in told.rows or ROWS:
        path = KEPT / f"{name}.json"
        if not path.exists() or told.rows:
            print(name, flush=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(measure(name, told.threads), indent=1) + "\n")
    found = {name: json.loads((KEPT / f"{name}.json").read_text()) for name in ROWS if (KEPT / f"{name}.json").exists()}
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


def measure(name: str, threads: int) -> dict[str, Any]:
    run = RUNS / name
    told = ("quick", "--data", f"folder:{DATA}", "--size", "28", *ROWS[name], "--steps", str(STEPS))
    begin_or_finish(run, threads, *told)
    judge = ("--against", "mnist", "-n", "10000", "--metric", "fid", "--json")
    judged = json.loads(zerosum(threads, "eval", str(run), *judge))
    said = results.events(run)
    verdicts = [event["verdict"] for event in said if event["event"] == "verdict"]
    command = " ".join(("zerosum train", *told)).replace(str(DATA), "FEW")
    return {
        "command": command,
        "minutes": round(results.minutes(run), 1),
        "fid": next(figure["value"] for figure in judged["figures"] if figure["name"] == "fid"),
        "verdicts": sorted(set(verdicts)),
        "last": verdicts[-1] if verdicts else None,
    }


def section(about: dict[str, Any]) -> list[str]:
    lines = [
        "## Few images",
        "",
        f"`python benchmarks/few_images.py` on {about['machine']}, one thread: `quick` on {IMAGES} of MNIST's training "
        f"images for {STEPS:,} steps; Frechet distance by digits-net of 10,000 samples to MNIST's test images. "
        "`ada` is its geometry, shift, scale, rotation and stretch, with its p.",
        "",
        "| augmentation | distance | the watch's last word | whether it ever said `memorising` |",
        "|---|---|---|---|",
    ]
    for name, row in about["rows"].items():
        ever = "yes" if "memorising" in row["verdicts"] else "no"
        lines.append(f"| {name} | {row['fid']:.1f} | {row['last']} | {ever} |")
    return lines


if __name__ == "__main__":
    main()
