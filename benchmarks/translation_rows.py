"""The rows of translation.py: which translator, on which task, with which settings, judged by which figures."""

from __future__ import annotations

import json
from dataclasses import dataclass

import tasks


@dataclass(frozen=True)
class Row:
    """One training: its task, what else it is told, its minutes, and the figures that it is judged by."""

    name: str
    recipe: str
    task: str
    told: str
    minutes: float
    metrics: tuple[str, ...] = ()
    early: int | None = None  # a step whose checkpoint is kept, and judged beside the last one


FACES = f"upscale:folder:{tasks.FACES}"
SMALL = "--size 64 --set width=32 --batch 4"
FALLING = "--set stages=[] --set schedule=linear"  # rates that fall over the minutes, where the paper's epochs are many
DIGITS = "--size 28 --set width=16 --set flip=false"
AGES = "--size 28 --set G.width=32 --set D.width=32 --set units=512 --set pace=0.35"
PAIRED = ("l1", "psnr", "ssim", "swd", "fid")
ENLARGE = "--size 64 --set width=32 --set blocks=6 --lr 5e-4"  # 16 to 64 pixels; five times the paper's rate
ENLARGED = ("psnr", "ssim", "perceptual", "swd", "fid")  # each beside that of bicubic enlargement
PRETRAINED = 4_000
WHOLE = [  # the paper's schedule in short: squared error alone, a judge and content beside it, a tenth of the rate
    {"steps": PRETRAINED, "changes": {}, "gradually": {}},
    {"steps": 3_500, "changes": {"lr": 1e-4, "adversarial": 1e-3, "content": 0.02}, "gradually": {}},
    {"steps": 1_000_000, "changes": {"lr": 1e-5}, "gradually": {}},
]
DISCO = "--size 32 --set width=16 --set flip=false --batch 32"
ROWS = (
    Row("pix2pix-labels", "pix2pix", tasks.STREETS, SMALL, 30, ("labels", "l1", "ssim")),
    Row("pix2pix-photos", "pix2pix", tasks.STREETS, f"{SMALL} --set direction=B2A", 30, PAIRED),
    Row("l1-photos", "pix2pix", tasks.STREETS, f"{SMALL} --set direction=B2A --set adversarial=0", 30, PAIRED),
    Row(
        "cyclegan-inverted",
        "cyclegan",
        "unpaired:inverted",
        f"{DIGITS} --set jitter=1 --set blocks=3 --lr 5e-4 --batch 8 {FALLING}",
        20,
    ),
    Row("discogan-inverted", "discogan", "unpaired:inverted", DISCO, 20),
    Row(  # as the authors' code
        "discogan-inverted-matched",
        "discogan",
        "unpaired:inverted",
        f"{DISCO} --set cycle=10 --set matching=9 --set d_every=3",
        20,
    ),
    Row(
        "stargan-colours",
        "stargan",
        "domains:colours",
        f"{DIGITS} --set blocks=2 --lr 5e-4 {FALLING}",
        30,
        ("cycle", "domains", "swd"),
    ),
    Row("stargan-thickness", "stargan", "domains:thickness", f"{DIGITS} --set blocks=2 --lr 5e-4 {FALLING}", 30),
    Row("age-cgan-thickness", "age-cgan", "domains:thickness", AGES, 30),
    Row(
        "srgan",
        "srgan",
        FACES,
        f"{ENLARGE} --set keep_at=[{PRETRAINED}] --set stages={json.dumps(WHOLE, separators=(',', ':'))}",
        60,
        ENLARGED,
        PRETRAINED,
    ),
    Row(
        "pg2-bent",
        "pg2",
        "poses:bent",
        "--size 32 --set width=16 --lr 5e-4 --batch 16 --set flip=false --set pace=0.1 --set keep_at=[3000]",
        20,
        ("l1", "ssim", "swd"),
        3_000,  # the end of its first stage
    ),
    Row(
        "tp-gan-turned",
        "tp-gan",
        "profiles:turned",
        "--size 64 --set width=16 --lr 5e-4 --set eyes_at=0.6 --set nose_at=0.72 --set mouth_at=0.81",
        20,
        ("l1", "ssim"),
    ),
    Row("pix2pix-edges", "pix2pix", "pairs:edged", "--size 32 --set width=16 --batch 16 --lr 5e-4", 10, PAIRED),
    Row("pix2pix-colours", "pix2pix", "pairs:greyed", SMALL, 20, PAIRED),
    Row(
        "cyclegan-clothes",
        "cyclegan",
        "unpaired:clothes",
        f"{DIGITS} --set jitter=1 --set blocks=3 --lr 5e-4 --batch 8 {FALLING}",
        15,
        ("cycle", "domains", "swd"),
    ),
    Row(
        "pix2pixhd-photos",
        "pix2pixhd",
        tasks.STREETS,
        "--size 64 --set direction=B2A --set width=16 --set halvings=3 --set blocks=4 --set D.layers=1 --batch 4 "
        "--set pace=0.7",
        30,
        PAIRED,
    ),
    Row(
        "discogan-flowers",
        "discogan",
        tasks.FLOWERS,
        "--size 64 --set width=24 --batch 32 --set cycle=10",
        30,
        ("cycle", "swd", "fid"),
    ),
    Row(
        "cyclegan-flowers",
        "cyclegan",
        tasks.FLOWERS,
        f"--size 64 --set width=24 --set blocks=6 {FALLING}",
        60,
        ("cycle", "swd", "fid"),
    ),
)
