"""Faces from the side in Multi-PIE's layout: who belongs together, where landmarks lie, what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data import open_dataset
from zerosum.data.loader import Feed
from zerosum.data.profiled import SWAPPED
from zerosum.data.sources import SOURCES
from zerosum.errors import UserError

POINTS = "20 30\n44.0 30\n32,40\n24 50\n-1 -1\n"


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), level, np.uint8)).save(file, format="PNG")
    return file.getvalue()


def write(root: Path, names: dict[str, int], points: str = POINTS, ending: str = ".5pt") -> Path:
    for name, level in names.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{name}.png").write_bytes(png(level))
        (root / f"{name}{ending}").write_text(points)
    return root


MULTI_PIE = {
    f"{who:03}_01_01_{camera}_{light}": 40 * who + 10 * (camera == "190") + int(light)
    for who in range(1, 6)
    for camera in ("051", "190")
    for light in ("04", "07")
}


def test_a_profile_becomes_the_frontal_view_of_its_identity_in_its_light(tmp_path: Path) -> None:
    data = open_dataset(f"profiles:{write(tmp_path / 'p', MULTI_PIE)}", size=64, channels=1)
    assert (data.shape, data.source_shape) == ((1, 64, 64), (6, 64, 64))
    assert data.classes == ("001", "002", "003", "004", "005")
    assert len(data.train) + len(data.held_out) == 10
    assert data.skipped == ()
    for split in (data.train, data.held_out):
        assert split.partners is not None
        assert split.labels is not None
        gap = split.partners[:, 0, 0, 0].astype(int) - split.samples[:, 0, 0, 0]
        assert (gap == 10).all()  # the same identity and light, another camera
        assert (split.samples[:, 0, 0, 0] // 40 == split.labels + 1).all()
    assert not set(data.train.labels) & set(data.held_out.labels)  # whole identities are held out
    given = data.train.partners[0]
    rows, columns = np.nonzero(given[..., 2])
    assert (rows.mean(), columns.mean()) == (30, 44)
    assert not given[..., 5].any()  # the corner of the mouth that is not seen


def test_other_names_say_frontal_and_a_test_folder_is_held_out(tmp_path: Path) -> None:
    names = {"train/a_frontal": 1, "train/a_left": 2, "train/b_left": 3, "test/c_frontal": 4, "test/c_x": 5}
    data = open_dataset(f"profiles:{write(tmp_path / 'p', names, ending='.txt')}", size=32)
    assert data.classes == ("a", "c")
    assert data.train.samples[:, 0, 0, 0].tolist() == [1]
    assert data.held_out.partners is not None
    assert data.held_out.partners[:, 0, 0, 0].tolist() == [5]
    assert [(one.name, one.reason) for one in data.skipped] == [
        ("train/b_left.png", "there is no frontal view of b"),
    ]
    apart = {"frontal/a_1": 1, "side/a_1": 2}
    assert len(open_dataset(f"profiles:{write(tmp_path / 'q', apart)}", size=32).train) == 1


def test_in_a_mirror_the_left_eye_is_the_right_one_and_labels_stay_with_their_faces(tmp_path: Path) -> None:
    data = open_dataset(f"profiles:{write(tmp_path / 'p', MULTI_PIE)}", size=32, channels=1)
    assert data.mirrored == (0, 2, 1, 3, 5, 4)
    assert [SWAPPED[other] for other in SWAPPED] == list(range(5))
    feed = Feed(data, device=torch.device("cpu"), value_range=(0.0, 255.0), flip=True)
    given, real, y = feed.take_known_pairs(16)
    assert ((real[:, 0, 0, 0].long() // 40 - 1) == y).all()
    eyes = given[:, 1].sum(dim=1).argmax(dim=1)
    assert 0 < (eyes == eyes.min()).sum() <= 16
    assert (eyes < 16).all()  # the eye that is called left always lies to the left
    other = Feed(data, device=torch.device("cpu"), value_range=(0.0, 255.0), flip=True)
    for one, same in zip(other.take_pairs(16), (given, real), strict=True):
        assert torch.equal(one, same)


def test_what_a_run_is_given_needs_no_frontal_view(tmp_path: Path) -> None:
    reads = SOURCES["profiles"].givens
    assert reads is not None
    ((name, given),) = reads(write(tmp_path / "p", {"deep/me_side": 9}), 64, 3)
    assert name == "deep/me_side"
    assert given.shape == (64, 64, 8)
    assert given[30, 20].tolist() == [9, 9, 9, 255, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("1 2\n3 4\n", r"a_side.5pt has 2 lines; expected five"),
        ("1 2\n3 4\n5 6\n7 8\nnine 10\n", r"a_side.5pt, line 5, is 'nine 10'; expected x and y"),
        ("1 2\n3 4\n5 6\n7 8\n9\n", r"line 5, is '9'; expected x and y"),
        (None, r"a_side.png has no landmarks; expected beside it a_side.5pt: five lines"),
    ],
)
def test_landmarks_that_are_wrong_are_refused_in_one_line(tmp_path: Path, points: str | None, said: str) -> None:
    root = write(tmp_path / "p", {"a_frontal": 1, "a_side": 2})
    if points is None:
        (root / "a_side.5pt").unlink()
    else:
        (root / "a_side.5pt").write_text(points)
    with pytest.raises(UserError, match=said) as refusal:
        open_dataset(f"profiles:{root}", size=32)
    assert "\n" not in str(refusal.value)


def test_faces_without_a_pair_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no identity with views from the side and from the front"):
        open_dataset(f"profiles:{write(tmp_path / 'p', {'a_side': 1, 'b_frontal': 2})}", size=32)
