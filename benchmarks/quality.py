"""How good is each recipe, and after how long? Every figure by `zerosum eval`, every run by `zerosum train`.

    python benchmarks/quality.py                  the rows that are not there yet, one after the other
    python benchmarks/quality.py toys mnist       those of these groups
    python benchmarks/quality.py lsgan-mnist      these rows
    python benchmarks/quality.py --table          no training: the page from the rows that are there

A row is a training judged at one or more lengths: its run in runs/quality is trained to the first, judged, and gone on
with. Each judgement is a line of docs/results/quality.jsonl as soon as it is made; to make one anew, delete its line.
A killed training is resumed. Two rows may be trained at the same time, a thread each, by two calls of this script.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import results
import tasks
from quality_rows import TOYS, Row, plan
from results import ROOT, begin_or_finish, machine, zerosum

RUNS, LINES = ROOT / "runs" / "quality", ROOT / "docs" / "results" / "quality.jsonl"
FRAGMENT, CURVE = ROOT / "docs" / "results" / "quality.md", ROOT / "docs" / "results" / "quality.png"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "rows", nargs="*", help="of rows, or of groups: toys, stacked, mnist, fashion-mnist, zoo, faces"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only write the page")
    options = parser.parse_args()
    known = {row.name for row in plan()} | {row.group for row in plan()}
    if not known.issuperset(options.rows):
        parser.error(f"no row or group {', '.join(sorted(set(options.rows) - known))}")
    for row in plan():
        if not options.table and (not options.rows or {row.name, row.group} & set(options.rows)):
            for minutes in row.minutes:
                if (row.name, minutes) not in {(line["name"], line["minutes"]) for line in lines()}:
                    keep(measure(row, minutes, options.threads), LINES)
                    write()
    write()


def lines(path: Path = LINES) -> list[dict[str, Any]]:
    """What has been measured."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(line: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def measure(row: Row, minutes: float, threads: int) -> dict[str, Any]:
    """Train a row up to that length and judge it: its line."""
    print(row.name, minutes, flush=True)
    run = RUNS / row.name
    begin_or_finish(run, threads, *(tasks.source(word) for word in row.arguments), "--minutes", f"{minutes:g}")
    if (left := minutes - results.minutes(run)) > 0.05:
        zerosum(threads, "resume", str(run), "--minutes", f"+{left:g}", "-q")
    judge = [part for metric in row.metrics for part in ("--metric", metric)]
    if row.group == "toys":  # the distance that chooses `best` can't see a hundredth of a radius; the rates end at 0
        judge += ["--checkpoint", "last"]
    told = json.loads(zerosum(threads, "eval", str(run), "-n", str(row.samples), "--json", *judge))
    if row.group in ("zoo", "faces"):
        picture = LINES.with_name(f"{row.name}.png")
        zerosum(threads, "sample", str(run), "-n", "60", "--out", str(picture))
    about = {"name": row.name, "minutes": minutes, "threads": threads, "machine": machine()}
    command = f"zerosum train {' '.join(row.arguments)} --minutes {row.minutes[0]:g}"
    return {**about, "command": command, **kept(told, results.events(run))}


def kept(told: dict[str, Any], said: list[dict[str, Any]]) -> dict[str, Any]:
    """What a line keeps of a judgement, and of the events of the run that was judged."""
    end = [event for event in said if event["event"] == "end"][-1]
    return {
        "trained": round(end["seconds"] / 60, 2),
        "images": end["images"],
        "figures": {figure["name"]: round(figure["value"], 4) for figure in told["figures"]},
        "floors": {figure["name"]: figure["floor"] for figure in told["figures"]},
        "protocol": {name: told["protocol"][name] for name in ("checkpoint", "ema", "samples", "split", "network")},
        "scores": scores(said),
    }


def scores(said: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """(minutes, value) of each distance that was taken during the training; a recipe may score its losses, too."""
    seconds, found = 0.0, []
    for event in said:
        if event["event"] == "step":
            seconds = event["seconds"]
        elif event["event"] == "score" and event["name"] != "g-loss":
            found.append((round(seconds / 60, 2), round(event["value"], 2)))
    return found


def write() -> None:
    """The fragment for docs/results.md with its curves, and that page."""
    told = lines()
    parts = [HEAD, *toys(told), *stacked(told)]
    for group in ("mnist", "fashion-mnist"):
        parts += distances(group, told)
    measured = [line for line in told if line["name"] in named("mnist")]
    if measured:
        draw(measured)
        parts += ["", "![Frechet distance over time](results/quality.png)"]
    parts += drawn("zoo", zoo(told), told)
    parts += drawn("faces", faces(told), told)
    FRAGMENT.write_text("\n".join(parts) + "\n")
    results.write_page()


def named(group: str) -> set[str]:
    return {row.name for row in plan() if row.group == group}


def toys(told: list[dict[str, Any]]) -> list[str]:
    """A line for each toy: how many seeds reach what, and the worst of them."""
    rows = [
        "",
        "| toy | seeds | modes, the fewest | high quality: mean (least) | reverse KL: mean (most) |",
        "|---|---|---|---|---|",
    ]
    for data, (minutes, more) in TOYS.items():
        found = [line for line in told if line["name"].startswith(f"{data}-") and line["name"] in named("toys")]
        if found:
            modes, quality, kl = (
                [line["figures"][name] for line in found] for name in ("modes", "high-quality", "reverse-kl")
            )
            command = " ".join(["zerosum train quick-points --data", data, *more, f"--minutes {minutes:g} --seed S"])
            rows.append(
                f"| {data}: `{command}` | {len(found)} | {min(modes):g} of {found[0]['floors']['modes']:g} | "
                f"{statistics.fmean(quality):.2%} ({min(quality):.2%}) | "
                f"{statistics.fmean(kl):.4f} ({max(kl):.4f}) |"
            )
    return rows


def stacked(told: list[dict[str, Any]]) -> list[str]:
    rows = []
    for line in told:
        if line["name"] in named("stacked"):
            figures = line["figures"]
            rows += [
                "",
                f"Stacked-MNIST: `{line['command']}` on {results.where(line)} covers {figures['modes']:g} of 1,000 "
                f"modes after {line['trained']:g} minutes, with a KL of {figures['modes-kl']:.3f}, by "
                f"{line['protocol']['samples']:,} samples. Published (R3GAN's and PacGAN's tables): DCGAN 99 and "
                "3.40, VEEGAN 150 and 2.95, PacDCGAN2 1000 and 0.06, R3GAN 1000 and 0.029.",
            ]
    return rows


def distances(group: str, told: list[dict[str, Any]], head: str = "", data: str | None = None) -> list[str]:
    """The Frechet distance of each recipe by the minutes that it was trained; data: where the group is named else."""
    found: dict[str, dict[float, dict[str, Any]]] = {}
    for line in told:
        if line["name"] in named(group):
            found.setdefault(shown(line["command"]), {})[line["minutes"]] = line
    if not found:
        return []
    lengths = sorted({minutes for by in found.values() for minutes in by})
    some = next(iter(next(iter(found.values())).values()))
    network = some["protocol"]["network"]
    rows = [
        "",
        f"{head}Frechet distance by `{network}` on {data or group}, 10,000 samples to its "
        f"{some['protocol']['split']} images; two halves of the real ones are {some['floors']['fid']:.2f} apart.",
        "",
        f"| command | {' | '.join(f'{minutes:g} min' for minutes in lengths)} | images by then |",
        f"|---|{'---|' * len(lengths)}---|",
    ]
    last = {command: by[max(by)] for command, by in found.items()}
    others, footnote = machines(list(last.values()))
    for command in sorted(found, key=lambda command: last[command]["figures"]["fid"]):
        cells = [f"{found[command][m]['figures']['fid']:.2f}" if m in found[command] else "" for m in lengths]
        mark = ELSEWHERE if last[command]["machine"] in others else ""
        rows.append(f"| `{command}`{mark} | {' | '.join(cells)} | {last[command]['images']:,} |")
    return rows + footnote


def zoo(told: list[dict[str, Any]]) -> list[str]:
    """What each recipe makes of digits: after the same time, and after about as many images."""
    found = [line for line in told if line["name"] in named("zoo")]
    if not found:
        return []
    others, footnote = machines(found)
    rows = ["", *ZOO_HEAD.splitlines(), "", "| command | minutes | distance | images | after 50,000 |"]
    rows.append("|---|---|---|---|---|")
    for line in sorted(found, key=lambda line: line["figures"]["fid"]):
        speed = line["images"] / line["trained"]
        early = min(line["scores"], key=lambda score: abs(score[0] * speed - 50_000))
        then = f"{early[1]:.1f}" if early[0] * speed > 40_000 else "not reached"
        mark = ELSEWHERE if line["machine"] in others else ""
        rows.append(
            f"| `{shown(line['command'])}`{mark} | {line['trained']:.0f} | {line['figures']['fid']:.2f} | "
            f"{line['images']:,} | {then} |"
        )
    return rows + footnote


def machines(told: list[dict[str, Any]]) -> tuple[set[str], list[str]]:
    """The machines that fewer of these rows were trained on, and what the mark of such rows means."""
    usual = Counter(line["machine"] for line in told).most_common(1)[0][0]
    others = {line["machine"] for line in told} - {usual}
    said = f"{ELSEWHERE.strip()} on {' and '.join(sorted(others))}, the others on {usual}: compare these by images."
    return others, ["", said] if others else []


def faces(told: list[dict[str, Any]]) -> list[str]:
    """What each recipe makes of the anime faces: two distances after the same time."""
    found = [line for line in told if line["name"] in named("faces")]
    if not found:
        return []
    floors, protocol = found[0]["floors"], found[0]["protocol"]
    rows = [
        "",
        f"The anime faces at 64 pixels. Frechet distance by the self-supervised encoder, and sliced Wasserstein "
        f"distance, of 10,000 samples to the {protocol['split']} images; two halves of the real ones are "
        f"{floors['fid']:.2f} and {floors['swd']:.2f} apart."
        + "".join(HAIR.replace("\n", " ").format(**row["floors"]) for row in found if "hair" in row["command"]),
        "",
        "| command | minutes | images | Frechet | SWD |",
        "|---|---|---|---|---|",
    ]
    others, footnote = machines(found)
    for line in sorted(found, key=lambda line: line["figures"]["fid"]):
        mark = ELSEWHERE if line["machine"] in others else ""
        rows.append(
            f"| `{shown(line['command'])}`{mark} | {line['trained']:.0f} | {line['images']:,} | "
            f"{line['figures']['fid']:.2f} | {line['figures']['swd']:.1f} |"
        )
    return rows + footnote


def drawn(group: str, rows: list[str], told: list[dict[str, Any]]) -> list[str]:
    """A group's table, and what each of its recipes drew."""
    for name in sorted({line["name"] for line in told if line["name"] in named(group)}):
        own = name.removeprefix(f"{group}-")
        rows = [*rows, "", f"`{own}`:", "", f"![samples of {own}](results/{name}.png)"]
    return rows


def shown(command: str) -> str:
    """A command without its length, which the table's columns give."""
    return command.rpartition(" --minutes")[0]


def draw(told: Iterable[dict[str, Any]]) -> None:
    """The scores on the way as thin lines, the judgements as points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    by: dict[str, list[dict[str, Any]]] = {}
    for line in told:
        by.setdefault(shown(line["command"]).removeprefix("zerosum train "), []).append(line)
    for number, (name, found) in enumerate(sorted(by.items())):
        colour = f"C{number % 10}"
        for line in found:
            if line["scores"]:
                axes.plot(*zip(*line["scores"], strict=True), color=colour, linewidth=0.8)
        points = sorted((line["minutes"], line["figures"]["fid"]) for line in found)
        axes.plot(*zip(*points, strict=True), "o", color=colour, label=name)
    axes.set(xscale="log", yscale="log", xlabel="minutes of training", ylabel="Frechet distance (digits-net)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(CURVE, dpi=100)


ELSEWHERE = " ‡"
HAIR = """ `hair`: the same faces in six folders, by the measured colour of their hair, which the script writes
first; it has an encoder of its own, by which halves are {fid:.2f} apart ({swd:.2f} by SWD), so that the
Frechet distance of `acgan` is not beside the others'; it has R1 here and no dropout, or its faces stay
blurred. Rows named `later` have the rates and the w that the digits of the StyleGANs have. The two
distances disagree about `r3gan`, whose faces are clean and much alike: the encoder counts what is
missing, SWD how the small squares look."""
ZOO_HEAD = """The zoo on MNIST, by one thread: Frechet distance by `digits-net` of 10,000 samples to the held-out
images, whose halves are 0.32 apart, and the score in training (2,000 samples) that is nearest to 50,000 images.
Networks are narrower than their papers', as the commands say; `dcgan-lite`'s are of 28 pixels here, the others of 32.
`acgan` and `dragan` stand here at their papers' widths and rates, too: with few images and small steps they have
begun to draw strokes after ten minutes. Beside widths, rows leave out: six of eight mapping layers of both StyleGANs,
and R1 of `stylegan` in seven turns of eight; path lengths of `stylegan2` (as 2006.06676 does at 32 pixels; on the
faces they are there); four of five turns of D of `sngan`, one of two of `biggan`; `r3gan`'s penalties in seven rounds
of eight. `transgan` has another loss and no augmentation: by the paper's it was far behind from the start.

`progan` and both StyleGANs have two to four times their papers' rates, and a z and w of 64 numbers. With an equalized
rate an output that adds n inputs moves by the root of n in a step: narrow kernels learn slowly at rates that are for
wide ones, and more slowly than styles of 512 numbers that scale them. `stylegan2` at the paper's rates and w was no
better after forty minutes than after ten.

The order is not the papers': theirs is of the last gain after millions of images, of photographs, this one of ten
minutes. After the same 50,000 images those come first that are told the class or find it (`infogan`, `biggan`,
`sagan`, `acgan`, `r3gan`) and `progan`, whose rates have fallen by then; then the others that draw all digits from
one distribution (`transgan`, the StyleGANs), and last `dragan` and `dcgan-lite`, which are plain DCGANs. After ten
minutes it also counts how many images there were: `acgan` and `dragan` make three to five times as many as most.
Rates that fall within the run (`r3gan`, both StyleGANs, `progan`) keep a gain for the end. `transgan` attends to
1,024 tokens, makes few images a second, and has an hour. It was trained with a tanh at G's end, which the paper's has
not and this one no longer has. What ten minutes leave ragged are the StyleGANs, of which `stylegan2` after half an
hour is the nearest of all; `sngan` draws other digits than those asked for. `began` is on Fashion-MNIST, by
`fashion-net`: on digits its autoencoder gave back dots as well as strokes. Clothes it draws smoothly, but after
twenty minutes shoes and boots alone."""
HEAD = """## How good, after how long?

By `python benchmarks/quality.py`, which says how to make a row again: every run by `zerosum train`, every figure by
`zerosum eval` (of the best checkpoint, of toys the last; of the average of G where the recipe keeps one), with the
protocol that it states. Runs of one thread; minutes are of training, with its scores and pictures, and a run whose
rates fall by a schedule (`quick`) is another one for each length. Commands are without their `--minutes`, which the
columns give; `images` are those of the last column. Equal values in two columns mean that `best` stayed where it was.
Toys as in PacGAN (arXiv 1712.04086): eight Gaussians of sigma 0.01 on a circle of radius 1, and 25 of sigma 0.05 on a
grid of spacing 2; 2,500 samples, and one within 3 sigma of a mode is of high quality, as are 98.9% of real ones. Its
table has GAN with 6.3 of 8 and 17.3 of 25 modes, PacGAN4 with 24.8 of 25 and a reverse KL of 0.04."""


if __name__ == "__main__":
    main()
