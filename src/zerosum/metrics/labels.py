"""Label maps as colours: how many pixels have the right class, by the nearest colour of a palette.

Accuracies as in pix2pix's evaluation of photo to labels (arXiv 1611.07004, section 4.1): over all pixels, the mean over
classes, and the mean intersection over union. Every pixel counts: void is a class, and a mixture at a border is of the
nearest colour. Classes that no real image has count nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Colours = npt.NDArray[np.int64]

CAMVID_32 = {  # all classes (Brostow et al. 2009)
    "animal": (64, 128, 64),
    "archway": (192, 0, 128),
    "bicyclist": (0, 128, 192),
    "bridge": (0, 128, 64),
    "building": (128, 0, 0),
    "car": (64, 0, 128),
    "cart, luggage, pram": (64, 0, 192),
    "child": (192, 128, 64),
    "column, pole": (192, 192, 128),
    "fence": (64, 64, 128),
    "lane markings, driving": (128, 0, 192),
    "lane markings, other": (192, 0, 64),
    "other text": (128, 128, 64),
    "motorcycle, scooter": (192, 0, 192),
    "other moving": (128, 64, 64),
    "parking block": (64, 192, 128),
    "pedestrian": (64, 64, 0),
    "road": (128, 64, 128),
    "road shoulder": (128, 128, 192),
    "sidewalk": (0, 0, 192),
    "sign, symbol": (192, 128, 128),
    "sky": (128, 128, 128),
    "SUV, pickup, truck": (64, 128, 192),
    "traffic cone": (0, 0, 64),
    "traffic light": (0, 64, 64),
    "train": (192, 64, 128),
    "tree": (128, 128, 0),
    "truck, bus": (192, 128, 192),
    "tunnel": (64, 0, 64),
    "other vegetation": (192, 192, 0),
    "void": (0, 0, 0),
    "wall": (64, 192, 0),
}

CAMVID_12 = {  # those that are left of them for segmentation (SegNet, arXiv 1511.00561), where pavement is another blue
    "bicyclist": (0, 128, 192),
    "building": (128, 0, 0),
    "car": (64, 0, 128),
    "column, pole": (192, 192, 128),
    "fence": (64, 64, 128),
    "pavement": (60, 40, 222),
    "pedestrian": (64, 64, 0),
    "road": (128, 64, 128),
    "sign, symbol": (192, 128, 128),
    "sky": (128, 128, 128),
    "tree": (128, 128, 0),
    "void": (0, 0, 0),
}
PALETTES = (CAMVID_12, CAMVID_32)
NEAR = 20.0  # from a colour, by which JPEG moves pixels
LABELLED = 0.5  # of a map's pixels at least that are near its palette: a tenth of photos', 0.79 of maps' at 32


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """How well maps agree; all in [0, 1]."""

    pixels: float  # the share of pixels of the right class
    classes: float  # the mean over classes of the share of their pixels
    iou: float  # the mean over classes of intersection over union


def palette_of(maps: Bytes) -> Colours:
    """(K, 3): the colours that the most pixels of real maps (N, H, W, 3) are near."""
    palettes = [np.array(list(named.values())) for named in PALETTES]
    return max(palettes, key=lambda palette: near(maps, palette))


def near(maps: Bytes, palette: Colours) -> float:
    """The share of pixels that are near a colour of the palette; the others are mixtures at borders, or no labels."""
    return float((np.linalg.norm(maps - palette[nearest(maps, palette)], axis=3) < NEAR).mean())


def nearest(images: Bytes, palette: Colours) -> npt.NDArray[np.int64]:
    """(N, H, W): of each pixel of uint8 (N, H, W, 3) the number of the nearest of the colours (K, 3)."""
    colours = palette.astype(np.float32)
    found = np.empty(images.shape[:3], np.int64)
    for row, image in enumerate(images):
        pixels = image.reshape(-1, 3).astype(np.float32)
        # |p - c|^2 without |p|^2, which is the same for every colour.
        distance = (colours**2).sum(axis=1) - 2 * pixels @ colours.T
        found[row] = distance.argmin(axis=1).reshape(image.shape[:2])
    return found


def agreement(made: Bytes, target: Bytes, palette: Colours) -> Labelled:
    """How well the classes of `made` are those of `target`, both uint8 (N, H, W, 3)."""
    one, other = nearest(made, palette).ravel(), nearest(target, palette).ravel()
    count = len(palette)
    table = np.bincount(other * count + one, minlength=count * count).reshape(count, count)
    right, real, said = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    there = real > 0
    return Labelled(
        pixels=float(right.sum() / table.sum()),
        classes=float((right[there] / real[there]).mean()),
        iou=float((right[there] / (real + said - right)[there]).mean()),
    )
