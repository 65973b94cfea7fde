"""The rows of quality.py: which recipe, on which data, with which settings, judged after how long."""

from __future__ import annotations

from dataclasses import dataclass

import tasks

SEEDS = range(10)
GRID = ("--set", "r1=0.02", "--set", "r2=0.02", "--set", "z_scale=1", "--set", "depth=2")
TOYS: dict[str, tuple[float, tuple[str, ...]]] = {"ring": (3, ()), "grid": (2, GRID)}  # minutes, and other settings
# A narrow network of equalized rates wants larger ones than the paper's 512 channels: of n inputs that all move by as
# much, an output moves by the root of n. And it wants a w as narrow, or styles learn faster than what they scale.
NARROW = "--set G.w_dim=64 --set G.z_dim=64 --set depth=2 --batch 16 --lr 4e-3 --set r1=1"
STYLEGAN2 = (
    f"--size 32 --set width=64 --set full_to=8 {NARROW} --set path_weight=0 --set mixing=0.5 --set schedule=cosine "
    "--set ema=0.998 --set classes=ignored"
)
# On MNIST at 32 pixels, as narrow as a plain CPU wants them and with the schedules of ten minutes; dcgan-lite beside.
ZOO = {
    "dcgan-lite": "",
    "sngan": "--size 32 --set width=16 --set n_critic=1 --lr 1e-3 --set ema=0.995",
    "r3gan": "--size 32 --set width=16 --batch 16 --lr 2e-3 --set pace=0.005 --set r1=0.1 --set r2=0.1 "
    "--set penalty_every=8 --set G.betas=[0,0.99] --set D.betas=[0,0.99] --set ema=0.998",
    # Without path lengths, as 2006.06676 has it for CIFAR-10's 32 pixels; with classes each of them falls to one image.
    "stylegan2": STYLEGAN2,
    "progan": "--size 32 --set width=64 --set full_to=8 --set z_dim=64 --lr 3e-3 --set pace=0.002 --set ema=0.998 "
    "--set schedule=cosine",
    "acgan": "--size 32 --set G.width=32 --set D.width=8 --batch 32 --lr 5e-4",
    # A constant of one value costs a short run calm: see the notes of the recipe.
    "stylegan": f"--size 32 --set width=64 --set full_to=8 {NARROW} --set penalty_every=8 --set pace=0.002 "
    "--set mixing=0.5 --set spread=1 --set schedule=cosine --set ema=0.998 --set classes=ignored",
    "sagan": "--size 32 --set width=16 --batch 32 --set G.lr=4e-4 --set D.lr=1.6e-3 --set ema=0.995",
    "infogan": "--size 32",
    "dragan": "--size 32 --set width=32 --lr 5e-4",
    "biggan": "--size 32 --set width=16 --batch 32 --set n_critic=1 --set G.lr=4e-4 --set D.lr=1.6e-3 --set ema=0.995",
    # Its loss of the paper (WGAN-GP) had a distance of 66 where this one had 30, after 17,000 images.
    "transgan": "--size 32 --set G.width=128 --set D.width=64 --set G.first=2 --set G.later=1 --set G.last=1 "
    "--set G.heads=1 --set D.depth=3 --batch 16 --set n_critic=1 --lr 1e-3 --set ema=0.995 "
    "--set augment=[] --set loss=relativistic --set gp=0 --set r1=0.1 --set r2=0.1 --set penalty_every=8",
    "began": "--size 32 --set width=16 --batch 32 --lr 5e-4 --set k_rate=0.01 --set gamma=0.7",
}
WIDE = {"acgan": "--size 32", "dragan": "--size 32"}  # at their papers' own numbers faster than ten images a second
LATER = {  # minutes, and settings, of those that are judged again after longer
    "stylegan2": (30, STYLEGAN2),
}
LONG = {"transgan": 60, "began": 20}  # minutes of those that ten are nothing for
OTHER = {"began": "fashion-mnist"}  # of digits, mostly black, its autoencoder holds three dots for as real as strokes
# On the anime faces at 64 pixels, as narrow; `hair` is the same faces in six classes, for the recipe that needs them.
FACES = {
    "dcgan-faces": "",
    "quick": "--size 64",
    "stylegan": "--size 64 --set width=24 --set depth=2 --batch 16 --lr 2e-3 --set pace=0.006 --set mixing=0 "
    "--set spread=1 --set ema=0.998",
    "stylegan2": "--size 64 --set width=64 --set full_to=16",
    "r3gan": "--size 64 --set width=16 --batch 16 --lr 1e-3 --set pace=0.004 --set r1=0.5 --set r2=0.5 "
    "--set penalty_every=8 --set G.betas=[0,0.99] --set D.betas=[0,0.99] --set ema=0.998",
    "acgan": "--size 64 --set G.width=32 --set D.width=8 --set dropout=0 --batch 32 --lr 5e-4 --set r1=0.2 "
    "--set penalty_every=4 --set ema=0.998",
}
FACES_LATER = {
    "stylegan": (
        50,
        f"--size 64 --set width=48 --set full_to=16 {NARROW} --set penalty_every=8 --set pace=0.006 --set mixing=0 "
        "--set spread=1 --set schedule=cosine --set ema=0.998",
    ),
}
FACES_AGAIN = {"stylegan2": (30, 60)}  # minutes after which a run is judged, where those are not 30 alone


@dataclass(frozen=True)
class Row:
    """One training: its group, and the minutes after which it is judged, by which figures."""

    name: str
    group: str
    arguments: tuple[str, ...]
    minutes: tuple[float, ...]
    metrics: tuple[str, ...] = ("fid",)
    samples: int = 10_000


def plan() -> list[Row]:
    rows = []
    for data, (minutes, more) in TOYS.items():
        for seed in SEEDS:
            told = ("quick-points", "--data", data, *more, "--seed", str(seed))
            rows.append(Row(f"{data}-{seed}", "toys", told, (minutes,), ("modes",), 2500))
    wide = ("quick", "--data", "stacked", "--set", "G.width=64", "--set", "D.width=32")
    rows.append(Row("stacked", "stacked", wide, (20,), ("modes",), 26_000))
    # The rates of quick fall over the run, so each of its lengths is a run of its own.
    for minutes in (2, 10, 30):
        for name, more in (("quick", ()), ("quick-unlabelled", ("--set", "classes=ignored"))):
            if minutes < 30 or not more:
                told = ("quick", "--data", "mnist", *more)
                rows.append(Row(f"{name}-mnist-{minutes}", "mnist", told, (minutes,)))
    for recipe in ("gan", "mlp", "dcgan-smooth", "dcgan-lite", "dcgan-k2", "dcgan-digits", "lsgan", "wgan", "wgan-gp"):
        lengths = (2, 10, 30) if recipe in ("mlp", "dcgan-lite", "dcgan-k2", "wgan", "wgan-gp") else (2, 10)
        rows.append(Row(f"{recipe}-mnist", "mnist", (recipe, "--data", "mnist"), lengths))
    rows.append(Row("quick-fashion-mnist", "fashion-mnist", ("quick", "--data", "fashion-mnist"), (10,)))
    others = ("gan", "mlp", "dcgan-lite", "dcgan-digits", "lsgan", "wgan-gp")
    told = {recipe: (recipe, "--data", "fashion-mnist") for recipe in others}
    rows += [Row(f"{recipe}-fashion-mnist", "fashion-mnist", told[recipe], (10,)) for recipe in others]
    return rows + faces() + zoo()


def faces() -> list[Row]:
    rows = []
    for name, more in FACES.items():
        task = "folder:hair" if name == "acgan" else f"folder:{tasks.FACES}"
        words = (name, "--data", task, *more.split())
        rows.append(Row(f"faces-{name}", "faces", words, FACES_AGAIN.get(name, (30,)), ("fid", "swd")))
    for name, (minutes, more) in FACES_LATER.items():
        words = (name, "--data", f"folder:{tasks.FACES}", *more.split())
        rows.append(Row(f"faces-{name}-later", "faces", words, (minutes,), ("fid", "swd")))
    return rows


def zoo() -> list[Row]:
    rows = []
    for name, more in ZOO.items():
        words = (name, "--data", OTHER.get(name, "mnist"), *more.split())
        rows.append(Row(f"zoo-{name}", "zoo", words, (LONG.get(name, 10),)))
    for name, more in WIDE.items():
        rows.append(Row(f"zoo-{name}-wide", "zoo", (name, "--data", "mnist", *more.split()), (10,)))
    for name, (minutes, more) in LATER.items():
        rows.append(Row(f"zoo-{name}-later", "zoo", (name, "--data", "mnist", *more.split()), (minutes,)))
    return rows
