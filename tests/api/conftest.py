"""What the tests of translators share: small runs of each kind, on real pairs and sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zerosum
from zerosum.data import open_dataset

Train = Callable[..., zerosum.Run]
SMALL = {"width": 4, "size": 32, "batch": 4, "grid": 4, "exam_images": 8}
TWO_PARTS = [
    {"steps": 3, "changes": {}, "gradually": {}},
    {"steps": 3, "changes": {"part": 2, "adversarial": 1.0, "l1": 10.0}, "gradually": {}},
]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written without a place of its own is written here."""
    monkeypatch.chdir(tmp_path)


def write_poses(folder: Path) -> Path:
    """Forty digits, each given for the next one, whose pose is where its rows begin and end."""
    folder.mkdir()
    lines, pairs = ["name:keypoints_y:keypoints_x"], ["from,to"]
    for number, pixels in enumerate(open_dataset("digits").train.samples[:40, :, :, 0]):
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows = np.flatnonzero(pixels.max(axis=1) > 127)[::4]
        columns = [int(np.argmax(pixels[row])) for row in rows]
        down, across = ([*map(int, values), -1, -1, -1, -1, -1, -1][:6] for values in (rows, columns))
        lines.append(f"{number}.png:{down}:{across}")
        pairs.append(f"{number}.png,{(number + 1) % 40}.png")
    (folder / "digits-annotation-train.csv").write_text("\n".join(lines))
    (folder / "digits-pairs-train.csv").write_text("\n".join(pairs))
    return folder


@pytest.fixture(scope="session")
def trained() -> Train:
    """recipe, data, out, steps, **settings: a small run, of six steps, or to the end of its stages."""

    def run(recipe: str, data: str, out: Path, steps: int | None = None, **settings: object) -> zerosum.Run:
        length = {"steps": steps or 6} if steps or "stages" not in settings else {}
        told = {"stages": [], **SMALL, **settings}
        run = zerosum.train(recipe, data, **length, out=out, settings=told)  # type: ignore[arg-type]
        assert isinstance(run, zerosum.Run)
        return run

    return run


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> dict[str, tuple[str, dict[str, object]]]:
    """Data and settings of a small run of each kind, six steps long."""
    streets = f"pairs:{real_data / 'pairs' / 'camvid128.tar'}"
    flowers = f"unpaired:{real_data / 'unpaired' / 'daisy2sunflower128.tar'}"
    poses = f"poses:{write_poses(tmp_path_factory.mktemp('poses') / 'posed')}"
    coarse_first = [
        {"steps": 3, "changes": {}, "gradually": {}},
        {"steps": 3, "changes": {"coarse": 0}, "gradually": {"lr": 0.0}},
    ]
    deep = {"size": 64, "G.halvings": 2, "blocks": 1, "D.layers": 2, "scales": 2, "local_blocks": 1}
    return {
        "pix2pix": (streets, {}),
        "cyclegan": (flowers, {"blocks": 1, "pool": 3}),
        "discogan": (flowers, {}),
        "stargan": (flowers, {"blocks": 1}),
        "pix2pixhd": (streets, {**deep, "stages": coarse_first}),
        "srgan": ("upscale:digits", {"blocks": 1, "units": 8}),
        "pg2": (poses, {"z_dim": 8, "stages": TWO_PARTS}),
    }


@pytest.fixture(scope="session")
def runs(
    tmp_path_factory: pytest.TempPathFactory, trained: Train, settings: dict[str, tuple[str, dict[str, object]]]
) -> dict[str, zerosum.Run]:
    """A run of each kind."""
    root = tmp_path_factory.mktemp("translators")
    return {name: trained(name, data, root / name, **told) for name, (data, told) in settings.items()}
