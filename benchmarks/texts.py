"""From text to image: StackGAN trained on digits with captions, judged and drawn; docs/results.md's section on it.

    python benchmarks/texts.py                  the rows that are not there yet, one after the other
    python benchmarks/texts.py --table          no training: the section from the rows that are there
    python benchmarks/texts.py NAME --judge RUN no training: the figures of a run that is there, as of this row

A row is `zerosum train` to the end of its stages, then drawings of every digit in every thickness and slant, judged by
what has nothing to do with the run: the class by digits-net, thickness and slant as they are measured of real digits.
Each row is a line of docs/results/texts.jsonl as soon as it is there, with drawings of some texts beside it; a killed
training is resumed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import quality
import results
from results import ROOT, begin_or_finish, machine
from zerosum import api
from zerosum.data import open_dataset
from zerosum.data.captions import Vocabulary, words_of
from zerosum.data.sources.captions import ANYWHERE, CENTRED, Kind
from zerosum.data.strokes import measure
from zerosum.data.transforms import fit
from zerosum.metrics.features import FEATURES
from zerosum.sampling.files import replacing
from zerosum.sampling.grid import montage

RUNS = ROOT / "runs" / "texts"
LINES = ROOT / "docs" / "results" / "texts.jsonl"
FRAGMENT = LINES.with_suffix(".md")
Bytes = npt.NDArray[np.uint8]
NAMES = ("class", *ANYWHERE.thirds)
Cases = npt.NDArray[np.int64]
EACH, SHORT = 12, 4  # drawings of a text; the wording that names class, thickness and slant alone
MANY = 2_000  # drawings where all six properties are asked for, a text each
READ_AT, LONGER, INK = 28, 20, 64  # pixels at which digits-net reads, those of a digit's longer side; a level


@dataclass(frozen=True)
class Row:
    """One training: its data, and what else it is told."""

    name: str
    data: str
    kind: Kind
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
LONGER_FIRST = stages((2_000, 0, 1e-3), (24_000, 1, 4e-4), (6_000, 1, 1e-4), (2_500, 2, 4e-4), (1_000, 2, 1e-4))
ROWS = (
    Row("stackgan-digits", "captions:mnist", CENTRED, (f"stages={HALF_HOUR}", *NARROW)),
    Row("stackgan-placed", "captions:placed-mnist", ANYWHERE, (f"stages={LONGER_FIRST}", *NARROW)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=", ".join(row.name for row in ROWS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only write the section")
    parser.add_argument("--judge", type=Path, metavar="RUN", help="only tell the figures of a run")
    told = parser.parse_args()
    if told.judge is not None:
        row = next(row for row in ROWS if row.name == (told.rows or [ROWS[0].name])[0])
        print(json.dumps(answers(row, told.judge), indent=1))
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
    picture(row, run, LINES.with_name(f"{row.name}.png"))
    end = [event for event in results.events(run) if event["event"] == "end"][-1]
    return {
        "name": row.name,
        "command": f"zerosum train stackgan --data {row.data} {results.shown(settings)}",
        "threads": threads,
        "machine": machine(),
        "minutes": round(end["seconds"] / 60, 1),
        "images": end["images"],
        "steps": end["step"],
        "figures": answers(row, run),
    }


def asked_of(row: Row) -> tuple[list[str], Cases]:
    """Every text that is asked for, and its case: class and thirds, in the order of `Kind.cases`."""
    if row.kind is CENTRED:
        few = sorted({(*case[:3], 1) for case in CENTRED.cases})  # of the usual width, which the text does not name
        return [CENTRED.captions_of(*case)[SHORT] for case in few for _ in range(EACH)], np.repeat(few, EACH, axis=0)
    chosen = np.random.default_rng(0).permutation(np.array(row.kind.cases))[:MANY]
    return [row.kind.captions_of(*case)[0] for case in chosen], chosen


def answers(row: Row, run: Path) -> dict[str, float]:
    """Of drawings of every text: the share whose class is the one asked for, and Pearson's r of each property with the
    third that was asked for; beside the same of held-out real digits with their own captions.
    """
    generator = api.load(run, "last")
    texts, asked = asked_of(row)
    told = enumerate(Counter(texts).items())  # the same ones follow each other
    drawn = np.concatenate([generator.text(text, count, seed=seed) for seed, (text, count) in told])
    found = judged(drawn, asked, row.kind)
    real = open_dataset(row.data, size=generator.domain.size)
    assert real.held_out.captions is not None
    assert real.text is not None
    case_of = {" ".join(words_of(row.kind.captions_of(*case)[0])): case for case in row.kind.cases}
    vocabulary = Vocabulary(real.words, real.text[1])
    captioned = np.array([case_of[vocabulary.text(captions[0])] for captions in real.held_out.captions])
    return found | {f"real {name}": value for name, value in judged(real.held_out.samples, captioned, row.kind).items()}


def judged(images: Bytes, asked: Cases, kind: Kind) -> dict[str, float]:
    """The figures of images (N, H, H, 1), asked for as cases (N, 1 + properties)."""
    seen = normal(images) if kind is ANYWHERE else fit(np.asarray(images), READ_AT, 1)
    chances = FEATURES["digits-net"](open_dataset("digits"), None)(seen).probabilities
    assert chances is not None
    there, drawn = measure(np.asarray(images)), measure(seen if kind is ANYWHERE else np.asarray(images))
    values = {"thickness": drawn.thickness, "slant": drawn.slant, "width": drawn.width}
    values |= {"size": there.height, "y": there.y, "x": there.x}
    found = {"class": round(float((chances.argmax(axis=1) == asked[:, 0]).mean()), 4)}
    for index, name in enumerate(kind.thirds, 1):
        if np.ptp(asked[:, index]):
            found[name] = round(float(np.corrcoef(values[name], asked[:, index])[0, 1]), 4)
    return found


def normal(images: Bytes) -> Bytes:
    """(N, 28, 28, 1): the ink alone, its longer side 20 pixels and its mass in the middle, as MNIST's are."""
    found = np.zeros((len(images), READ_AT, READ_AT, 1), np.uint8)
    for out, image in zip(found, images[..., 0], strict=True):
        rows, columns = (np.flatnonzero((image > INK).any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            continue
        ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = LONGER / max(ink.shape)
        height, width = (max(1, round(scale * length)) for length in ink.shape)
        ink = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX)).astype(np.float64)
        middle = [float(np.average(np.arange(len(mass)), weights=mass)) for mass in (ink.sum(axis=1), ink.sum(axis=0))]
        corner = [
            min(max(round((READ_AT - 1) / 2 - at), 0), READ_AT - length)
            for at, length in zip(middle, ink.shape, strict=True)
        ]
        out[corner[0] : corner[0] + height, corner[1] : corner[1] + width, 0] = ink
    return found


def picture(row: Row, run: Path, path: Path) -> None:
    """A row of drawings for each of some texts, all from the same z."""
    generator = api.load(run, "last")
    rows = [row.kind.captions_of(*case)[SHORT] for case in shown(row.kind)]
    drawn = np.concatenate([generator.text(text, 8, seed=0) for text in rows])
    with replacing(path) as partial:
        montage(drawn, 8, row_labels=rows).save(partial, format="PNG")


def shown(kind: Kind) -> list[tuple[int, ...]]:
    """A case of every class, in which every third of every property comes."""
    cases = [(digit, digit % 3, (digit // 3 + digit) % 3, 1) for digit in range(10)]
    return (
        cases if kind is CENTRED else [(*case, (2 * case[0] + 1) % 3, case[0] // 3 % 3, case[0] % 3) for case in cases]
    )


def write() -> None:
    """The section of docs/results.md, and that page."""
    told = quality.lines(LINES)
    if not told:
        return
    others, footnote = quality.machines(told)
    parts = [HEAD, "", "| command | minutes | images | class | r |", "|---|---|---|---|---|"]
    for line in told:
        figures = line["figures"]
        mark = quality.ELSEWHERE if line["machine"] in others else ""
        both = {
            name: f"{value:.3g} ({figures[f'real {name}']:.3g})" for name, value in figures.items() if name in NAMES
        }
        rest = ", ".join(f"{name} {said}" for name, said in both.items() if name != "class")
        parts.append(
            f"| `{line['command']}`{mark} | {line['minutes']:g} | {line['images']:,} | {both['class']} | {rest} |"
        )
    parts += footnote
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
asked for, and Pearson's r of the measured thickness and slant with the third asked for; in brackets the same of real
held-out digits under their own captions. `placed-mnist` is MNIST's digits in other sizes and places, and {MANY:,} texts
name all that was measured, such as "a small thin wide seven that leans to the left in the upper right": `size` is the
height, `x` and `y` the middle of the ink; class and strokes are read of the ink alone, brought to MNIST's size. Its
class is right less often than the nine in ten that were to be: Stage I has to find the place, too, and its 16 pixels
leave seven to the smallest digit. With a quarter of Stage I's steps it was 0.58."""


if __name__ == "__main__":
    main()
