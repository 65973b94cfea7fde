"""From image to image: every translator trained on real tasks, judged and drawn; docs/results.md's section on these.

    python benchmarks/translation.py                   every row that is not there yet, one after the other
    python benchmarks/translation.py srgan             these rows
    python benchmarks/translation.py --judge NAME      no training: the figures of a row whose run is there, anew
    python benchmarks/translation.py --table           no training: the section from the rows that are there

A row is `zerosum train` for its minutes, then `zerosum eval` of its last checkpoint on held-out images; the tasks with
a known right answer also tell how many images keep their digit, and end in the right domain, by networks that have
nothing to do with the run. Beside a distance stands that of as many images trained on, and where it could be an
answer, what the input as it is would get. Each row is a line of docs/results/translation.jsonl as soon as it is there,
with the run's last grid beside it; a killed training is resumed. The tasks are made of MNIST, the anime faces, CamVid
and the flowers of ZEROSUM_DATA, as folders in runs/tasks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

import ordered
import quality
import results
import tasks
from results import ROOT, begin_or_finish, machine, zerosum
from translation_rows import ROWS, Row
from zerosum import api
from zerosum.api.tasks import made_of, task_of
from zerosum.api.translations import beside_domains, beside_partners, chosen, data_of, network_for
from zerosum.data import open_dataset
from zerosum.data.transforms import fit
from zerosum.metrics.features import FEATURES
from zerosum.sampling.files import replacing
from zerosum.sampling.grid import montage

RUNS = ROOT / "runs" / "translation"
UNSHOWN = ("pix2pix-colours",)  # outputs that are nearly images which may not be passed on
LINES = ROOT / "docs" / "results" / "translation.jsonl"
FRAGMENT = LINES.with_suffix(".md")
CLOSED = ("ZEROSUM_DATA", "greyed", "turned")  # tasks of images that may not be passed on
SHOWN, JUDGED = 24, 1_000  # images
Bytes = npt.NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=", ".join(row.name for row in ROWS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only write the section")
    parser.add_argument("--judge", action="store_true", help="only the figures of these rows' runs anew")
    told = parser.parse_args()
    if unknown := set(told.rows) - {row.name for row in ROWS}:
        parser.error(f"no row {', '.join(sorted(unknown))}")
    if told.judge:
        judge_again([row for row in ROWS if row.name in told.rows], told.threads)
    for row in () if told.table or told.judge else ROWS:
        if (not told.rows or row.name in told.rows) and row.name not in {line["name"] for line in quality.lines(LINES)}:
            quality.keep(measure(row, told.threads), LINES)
            write()
    write()


def measure(row: Row, threads: int) -> dict[str, Any]:
    """Train a row and judge it: its line."""
    print(row.name, flush=True)
    run, source = RUNS / row.name, tasks.source(row.task)
    command = (row.recipe, "--data", source, *row.told.split(), "--minutes", f"{row.minutes:g}")
    begin_or_finish(run, threads, *command)
    end = [event for event in results.events(run) if event["event"] == "end"][-1]
    if row.name not in UNSHOWN:
        picture(run, row.task, LINES.with_name(f"{row.name}.png"))
    return {
        "name": row.name,
        "command": f"zerosum train {row.recipe} --data {row.task} {results.shown(row.told.split())} "
        f"--minutes {row.minutes:g}",
        "threads": threads,
        "machine": machine(),
        "minutes": round(end["seconds"] / 60, 1),
        "images": end["images"],
        "steps": end["step"],
        **judgement(run, row, threads),
    }


def judge_again(rows: list[Row], threads: int) -> None:
    """Put the figures of these rows' runs in the places of the old ones."""
    lines = quality.lines(LINES)
    for row in rows:
        found = judgement(RUNS / row.name, row, threads)
        lines = [line | found if line["name"] == row.name else line for line in lines]
        print(row.name, found, flush=True)
    with replacing(LINES) as partial:
        partial.write_text("".join(json.dumps(line) + "\n" for line in lines))


def judgement(run: Path, row: Row, threads: int) -> dict[str, Any]:
    """What a line says of how good a run is."""
    told, figures = judged(run, row, "last", threads)
    floors = {one["name"]: round(one["floor"], 4) for one in told["figures"] if one.get("floor") is not None}
    if row.early is not None:
        before = judged(run, row, f"{row.early}", threads)[1]
        own = {name: value for name, value in before.items() if not name.startswith("bicubic-")}
        figures |= {f"{name} at step {row.early}": value for name, value in own.items()}
    if ":inverted" in row.task or ":colours" in row.task:
        figures |= {name: round(value, 4) for name, value in answers(run, row.task).items()}
    if ":thickness" in row.task:
        figures |= {name: round(value, 4) for name, value in ordered.figures(api.load(run, "last")).items()}
    plain = unchanged(run, row)
    if ":turned" in row.task:
        figures["hair kept"], plain["hair kept"] = hair_kept(run)
    samples = told["protocol"]["samples"]
    return {"samples": samples, "figures": figures, "floors": floors, "unchanged": plain}


def unchanged(run: Path, row: Row) -> dict[str, float]:
    """The same figures of the input as it is, where it could be an answer."""
    if not any(kind in row.task for kind in ("unpaired:", "domains:", "poses:", "profiles:", "greyed")):
        return {}
    generator = api.load(run, "last")
    dataset = data_of(generator, None)
    task = task_of(dataset, JUDGED)
    plain = task.given[..., : task.target.shape[3]]
    wanted = chosen(row.metrics or None)
    net = network_for(generator.recipe, dataset, wanted, None, None)
    found = [*beside_partners(task, plain, wanted, net), *beside_domains(dataset, task, plain, wanted, net)]
    return {figure.name: round(figure.value, 4) for figure in found}


def hair_kept(run: Path) -> tuple[float, float]:
    """How many faces have the colour of hair of the right answer: those that were made, and those that were given."""
    generator = api.load(run, "last")
    task = task_of(data_of(generator, None), JUDGED)
    made, given, right = (
        np.array([tasks.colour_of_hair(image) for image in images[..., :3]])
        for images in (made_of(generator.network, task, generator.domain), task.given, task.target)
    )
    return round(float((made == right).mean()), 4), round(float((given == right).mean()), 4)


def judged(run: Path, row: Row, checkpoint: str, threads: int) -> tuple[dict[str, Any], dict[str, float]]:
    """What `zerosum eval` says of a checkpoint, and its figures by name."""
    judge = [part for metric in row.metrics for part in ("--metric", metric)]
    told = json.loads(
        zerosum(threads, "eval", str(run), "-n", str(JUDGED), "--checkpoint", checkpoint, "--json", *judge)
    )
    return told, {figure["name"]: round(figure["value"], 4) for figure in told["figures"]}


def picture(run: Path, task: str, path: Path) -> None:
    """The run's last grid where all of it may be shown; of sets that may not be passed on, only what the run makes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not any(name in task for name in CLOSED):
        shutil.copy(results.last_grid(run), path)
        return
    generator = api.load(run, "last")
    made = made_of(generator.network, task_of(data_of(generator, None), SHOWN), generator.domain)
    with replacing(path) as partial:
        montage(made, 6).save(partial, format="PNG")


def answers(run: Path, task: str) -> dict[str, float]:
    """Of test digits led into every other domain: the shares that keep their digit and that are of the domain asked
    for, and the mean absolute error to the right answer; of real digits of the domain, the share that digits-net reads.
    """
    generator = api.load(run, "last")
    size, channels = generator.domain.size, generator.domain.channels
    inverse = ":inverted" in task
    names = ("A", "B") if inverse else tuple(sorted(tasks.COLOURS))
    shown = {name: [] for name in names}
    labels = []
    for split, _, label, image in tasks.digits():
        if split == "test":
            labels.append(label)
            for name in names:
                one = tasks.dyed(image, name) if not inverse else (255 - image if name == "B" else image)
                shown[name].append(one)
    as_seen = {name: fit(np.stack(x).reshape(len(x), 28, 28, -1), size, channels) for name, x in shown.items()}
    return compared(generator, as_seen, labels)


def compared(generator: api.Generator, shown: dict[str, Bytes], labels: list[int]) -> dict[str, float]:
    """The figures of `answers`, from the same digits as they are in each domain."""
    from zerosum.sampling.translate import translate

    names, real = list(shown), np.array(labels)
    kept, right, errors, readable, renamed = [], [], [], [], []
    for number, name in enumerate(names):
        readable.append((read(shown[name], name) == real).mean())
        for other in names:
            if other != name:
                target = np.full(len(real), number)
                made = np.concatenate(
                    list(translate(generator.network, shown[other], target, value_range=generator.domain.value_range))
                )
                seen = read(made, name)
                kept.append((seen == real).mean())
                renamed.append(by_best_names(real, seen))
                distance = np.stack([np.abs(made.astype(float) - shown[k]).mean(axis=(1, 2, 3)) for k in names])
                right.append((distance.argmin(axis=0) == number).mean())
                errors.append(np.abs(made.astype(float) - shown[name]).mean() / 255)
    parts = {"digit kept": kept, "digit kept under other names": renamed, "right domain": right}
    parts |= {"error to the answer": errors, "real digits read": readable}
    return {name: float(np.mean(values)) for name, values in parts.items()}


def by_best_names(real: npt.NDArray[np.int64], seen: npt.NDArray[np.int64]) -> float:
    """The share that keep their digit once the digits that come out are renamed one for one as suits them best."""
    table = np.zeros((10, 10), np.int64)
    np.add.at(table, (real, seen), 1)
    rows, names = linear_sum_assignment(table, maximize=True)
    return float(table[rows, names].sum() / len(real))


def read(images: Bytes, domain: str) -> npt.NDArray[np.int64]:
    """The digits that digits-net reads, of images of a domain: upright, or as bright as their brightest channel."""
    grey = images.max(axis=3, keepdims=True)
    net = FEATURES["digits-net"](open_dataset("digits"), None)
    chances = net(255 - grey if domain == "B" else grey).probabilities
    assert chances is not None
    return chances.argmax(axis=1)


def write() -> None:
    """The section of docs/results.md, and that page."""
    told = quality.lines(LINES)
    if not told:
        return
    others, footnote = quality.machines(told)
    parts = [
        *head(" ".join(line["command"] for line in told)),
        "",
        "| command | minutes | images | on held-out images |",
        "|---|---|---|---|",
    ]
    for line in told:
        figures = ", ".join(f"{name} {value:g}{beside(line, name)}" for name, value in line["figures"].items())
        mark = quality.ELSEWHERE if line["machine"] in others else ""
        parts.append(f"| `{line['command']}`{mark} | {line['minutes']:g} | {line['images']:,} | {figures} |")
    parts += footnote
    for line in told:
        if line["name"] not in UNSHOWN:
            parts += ["", f"`{line['name']}`:", "", f"![what {line['name']} makes](results/{line['name']}.png)"]
    FRAGMENT.write_text("\n".join(parts) + "\n")
    results.write_page()


def beside(line: dict[str, Any], name: str) -> str:
    """What a figure is to be read beside, in brackets."""
    parts = [(word, line.get(key, {}).get(name)) for word, key in (("real", "floors"), ("input", "unchanged"))]
    said = ", ".join(f"{word} {value:g}" for word, value in parts if value is not None)
    return f" ({said})" if said else ""


def head(commands: str) -> list[str]:
    """What is said of the rows that are there."""
    lines = ["## From image to image", ""]
    for paragraph in (DIGITS_TOLD, AGES_TOLD):
        words = " ".join(text for name, text in paragraph.items() if name in commands)
        lines += [*textwrap.wrap(words, 120, break_long_words=False, break_on_hyphens=False), ""] if words else []
    return lines[:-1]


DIGITS_TOLD = {  # sentences, each for the rows whose commands have the word before it
    "zerosum": "By `python benchmarks/translation.py`; one thread, the last checkpoint. Pictures show input and "
    "output, and the target of pairs; of sets that may not be passed on (CamVid, flowers, faces) outputs alone. "
    "In brackets, where a row was judged since there are such yardsticks: the same of as many images that were trained "
    "on (`real`), and of the input as it is. Distances of few images (80 of each kind of flower, 233 street scenes) "
    "are large for that alone; and what is made of a pair's one half is judged beside its other half, so that it may "
    "come nearer than `real`, which is of other scenes. `fid` is by an encoder that learned from the row's own images. "
    "A row is one run; one by minutes fixes its steps early, and takes longer where the machine slows down.",
    ":inverted": "`inverted` is MNIST's digits, and other ones inverted, unpaired.",
    ":colours": "`colours` is digits in four colours. `digit kept` and `right domain` are of 1,000 test digits led "
    "into every other domain: the first by digits-net, the second by which domain's own version of the digit is "
    "nearest; `error to the answer` is the mean absolute error to that version. `under other names`: the share that"
    " keep their digit once the ten that come out are renamed as suits best, since an objective of cycles alone "
    "allows any of these.",
    "discogan --data unpaired:inverted": "`discogan` with its paper's weights had not bound the two ways to each "
    "other after twenty minutes: it arrives, with other digits, and does not find back. As in its authors' code "
    "(`cycle`, `matching`, `d_every`) its error there and back is half as large, and more than half of the digits keep "
    "one name.",
    "adversarial=0": "By eye, `pix2pix`'s streets have edges, windows and lines on the road where those of the "
    "distance alone (`adversarial=0`) are a blur; its scenes at dusk, a quarter of all, have a pattern of coloured "
    "dots.",
    "daisy2sunflower": "`cyclegan` paints petals of the other flower, and a pattern of dots into leaves; `discogan`, "
    "with fewer and simpler layers, leaves little but colours, and several of its pictures are nearly one.",
    "pix2pixhd --data": "`pix2pixhd` learns to make images of half the size first, in a network of half the channels: "
    "its streets have more texture than `pix2pix`'s and less shape, are nearer by swd, and further away by l1 and ssim "
    "(its fid is by an encoder that was trained on another machine).",
    ":edged": "`edged` is the edges of MNIST's digits beside the digits.",
    ":greyed": "`greyed` is the anime faces in grey beside their colours; with colours from G they are still these "
    "faces, and not shown. The faces are pale, so that grey is near them by l1; colours come nearer by fid, and cost "
    "some ssim.",
    ":clothes": "`clothes` is MNIST and Fashion-MNIST, unpaired.",
    ":bent": "`bent` is MNIST's digits, each beside itself turned and slanted by chance; points along its longest "
    "line, moved alike, stand in for joints.",
    ":turned": "`turned` is the anime faces beside the same ones squeezed to one side with the other one dark, as "
    "if turned away; an identity is a colour of hair.",
}
AGES_TOLD = {
    ":thickness": "`thickness` stands in for ages: digits in five ordered groups of as many, by the measured width "
    "of their strokes. 1,000 test digits are led into each group: `digit kept` as above; `group right` and `within "
    "one group` by the width measured in what came out (by chance 0.2 and 0.52); `r` of the number of the group "
    "asked for and that width; `error in the own group` is the mean absolute error to the digit itself.",
    "age-cgan": "`age-cgan` looks for z by the features of the encoder that learns from these images; `encoder "
    "alone` is without that search. Its picture shows the input, the input in its own group, and in all five.",
}

if __name__ == "__main__":
    main()
