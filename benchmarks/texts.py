"""From text to image: StackGAN trained on digits with captions, judged and drawn; docs/results.md's section on it.

    python benchmarks/texts.py                  the rows that are not there yet, one after the other
    python benchmarks/texts.py --table          no training: the section from the rows that are there
    python benchmarks/texts.py --judge RUN      no training: the figures of a run that is there

A row is `zerosum train` to the end of its stages, then drawings of every digit in every thickness and slant, judged by
what has nothing to do with the run: the class by digits-net, thickness and slant as they are measured of real digits.
Each row is a line of docs/results/texts.jsonl as soon as it is there, with drawings of some texts beside it; a killed
training is resumed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import quality
import results
from results import ROOT, begin_or_finish, machine
from zerosum import api
from zerosum.data import open_dataset
from zerosum.data.sources.captions import DIGITS, LEANING, THICKNESS
from zerosum.data.strokes import measure
from zerosum.metrics.features import FEATURES
from zerosum.sampling.files import replacing
from zerosum.sampling.grid import montage

RUNS = ROOT / "runs" / "texts"
LINES = ROOT / "docs" / "results" / "texts.jsonl"
FRAGMENT = LINES.with_suffix(".md")
Bytes = npt.NDArray[np.uint8]
EACH = 12  # drawings of a text
READ_AT = 28  # pixels, at which digits-net reads


@dataclass(frozen=True)
class Row:
    """One training: its data, and what else it is told."""

    name: str
    data: str
    told: tuple[str, ...]


def stages(*told: tuple[int, int, float]) -> str:
    """Steps, stage and rate of each stretch, as `--set stages` takes them."""
    return json.dumps([{"steps": steps, "changes": {"stage": stage, "lr": lr}} for steps, stage, lr in told])


NARROW = (
    "ema=0.998",
    "width=24",
    "D.width=24",
    "embedding=64",
    "units=64",
    "condition=32",
    "compressed=32",
    "blocks=1",
)
HALF_HOUR = stages((2_000, 0, 1e-3), (6_000, 1, 4e-4), (2_000, 1, 1e-4), (2_500, 2, 4e-4), (1_000, 2, 1e-4))
ROWS = (Row("stackgan-digits", "captions:mnist", (f"stages={HALF_HOUR}", *NARROW)),)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=", ".join(row.name for row in ROWS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only write the section")
    parser.add_argument("--judge", type=Path, metavar="RUN", help="only tell the figures of a run")
    told = parser.parse_args()
    if told.judge is not None:
        print(json.dumps(answers(told.judge), indent=1))
        return
    if unknown := set(told.rows) - {row.name for row in ROWS}:
        parser.error(f"no row {', '.join(sorted(unknown))}")
    for row in () if told.table else ROWS:
        if (not told.rows or row.name in told.rows) and row.name not in {line["name"] for line in quality.lines(LINES)}:
            quality.keep(measured(row, told.threads), LINES)
    write()


def measured(row: Row, threads: int) -> dict[str, Any]:
    """Train a row and judge it: its line."""
    print(row.name, flush=True)
    run = RUNS / row.name
    settings = [part for setting in row.told for part in ("--set", setting)]
    begin_or_finish(run, threads, "stackgan", "--data", row.data, *settings)
    picture(run, LINES.with_name(f"{row.name}.png"))
    end = [event for event in results.events(run) if event["event"] == "end"][-1]
    return {
        "name": row.name,
        "command": f"zerosum train stackgan --data {row.data} {results.shown(settings)}",
        "threads": threads,
        "machine": machine(),
        "minutes": round(end["seconds"] / 60, 1),
        "images": end["images"],
        "steps": end["step"],
        "figures": answers(run),
    }


def cases() -> list[tuple[int, int, int]]:
    """Class, thickness and slant of every text, thickness and slant as thirds from 0."""
    return list(product(range(len(DIGITS)), range(3), range(3)))


def text_of(digit: int, thickness: int, slant: int) -> str:
    return f"a {THICKNESS[thickness]} {DIGITS[digit]} {LEANING[slant]}"


def answers(run: Path) -> dict[str, float]:
    """Of drawings of every text: the share whose class is the one asked for, and Pearson's r of thickness and slant
    with what was asked; beside the same of held-out real digits with their own captions.
    """
    generator = api.load(run, "last")
    asked = np.repeat(np.array(cases()), EACH, axis=0)
    drawn = np.concatenate([generator.text(text_of(*case), EACH, seed=seed) for seed, case in enumerate(cases())])
    found = judged(drawn, asked)
    plain = open_dataset("mnist")
    real = open_dataset("captions:mnist", size=generator.domain.size)
    assert plain.held_out.labels is not None
    assert real.held_out.captions is not None
    told = np.stack(
        [plain.held_out.labels, *(third(real, words) for words in (THICKNESS, ("left", "upright", "right")))]
    )
    return found | {f"real {name}": value for name, value in judged(real.held_out.samples, told.T).items()}


def third(data: Any, words: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """(N,): which of three words the first caption of each held-out digit has."""
    numbers = [data.words.index(word) + 1 for word in words]
    return np.stack([(data.held_out.captions[:, 0] == number).any(axis=1) for number in numbers]).argmax(axis=0)


def judged(images: Bytes, asked: npt.NDArray[np.int64]) -> dict[str, float]:
    """The three figures of images (N, H, H, 1), asked for as class, thickness and slant (N, 3)."""
    from zerosum.data.transforms import fit

    net = FEATURES["digits-net"](open_dataset("digits"), None)
    chances = net(fit(np.asarray(images), READ_AT, 1)).probabilities
    assert chances is not None
    strokes = measure(np.asarray(images))
    return {
        "class": round(float((chances.argmax(axis=1) == asked[:, 0]).mean()), 4),
        "thickness": round(float(np.corrcoef(strokes.thickness, asked[:, 1])[0, 1]), 4),
        "slant": round(float(np.corrcoef(strokes.slant, asked[:, 2])[0, 1]), 4),
    }


def picture(run: Path, path: Path) -> None:
    """A row of drawings for each of some texts, all from the same z."""
    generator = api.load(run, "last")
    chosen = [(digit, digit % 3, (digit // 3 + digit) % 3) for digit in range(len(DIGITS))]
    rows = [text_of(*case) for case in chosen]
    drawn = np.concatenate([generator.text(text, 8, seed=0) for text in rows])
    with replacing(path) as partial:
        montage(drawn, 8, row_labels=rows).save(partial, format="PNG")


def write() -> None:
    """The section of docs/results.md, and that page."""
    told = quality.lines(LINES)
    if not told:
        return
    parts = [HEAD, "", "| command | minutes | images | class | thickness r | slant r | real digits |"]
    parts.append("|---|---|---|---|---|---|---|")
    for line in told:
        figures = line["figures"]
        mark = quality.MARK if results.WIDE in line["machine"] else ""
        mine = " | ".join(f"{figures[name]:.3g}" for name in ("class", "thickness", "slant"))
        real = ", ".join(f"{figures[f'real {name}']:.3g}" for name in ("class", "thickness", "slant"))
        parts.append(f"| `{line['command']}`{mark} | {line['minutes']:g} | {line['images']:,} | {mine} | {real} |")
    parts = quality.marked(parts)
    for line in told:
        parts += [
            "",
            f"`{line['name']}`, all columns from the same z:",
            "",
            f"![what {line['name']} makes](results/{line['name']}.png)",
        ]
    FRAGMENT.write_text("\n".join(parts) + "\n")
    results.write_page()


HEAD = f"""## From text to image

By `python benchmarks/texts.py`, one thread, the last checkpoint, at 64 pixels from 16. Of {EACH} drawings of each of
the 90 texts "a thin zero leaning left" to "a thick nine leaning right": the share that digits-net reads as the class
asked for, and Pearson's r of the measured thickness and slant with the third asked for. Beside it the same of real
held-out digits under their own captions."""


if __name__ == "__main__":
    main()
