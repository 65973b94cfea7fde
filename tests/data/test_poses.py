"""Poses in the layout of DeepFashion's files: what is drawn where, mirrored, held out, and refused by its line."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data import Dataset, open_dataset
from zerosum.data.keypoints import body, discs, drawn, whole_in_square
from zerosum.data.loader import Feed
from zerosum.data.posed import SWAPPED
from zerosum.data.sources import SOURCES
from zerosum.errors import UserError

HEAD = "name:keypoints_y:keypoints_x\n"


def png(level: int, width: int = 32, height: int = 64) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), level, np.uint8)).save(file, format="PNG")
    return file.getvalue()


def pose(number: int, joints: int = 18) -> str:
    """Joint k of person `number` lies at x = 4 + k, y = 2 + 3 k + number; the last one is not seen."""
    down = [2 + 3 * k + number for k in range(joints - 1)]
    across = [4 + k for k in range(joints - 1)]
    return f"p{number}.png: {[*down, -1]}: {[*across, -1]}\n"


def write(root: Path, **tables: str) -> Path:
    """Six persons of levels 10, 20 …, 32x64 pixels; every pair and keypoint but where a table says otherwise."""
    (root / "train").mkdir(parents=True)
    for number in range(6):
        (root / "train" / f"p{number}.png").write_bytes(png(10 * (number + 1)))
    everyone = "".join(pose(number) for number in range(6))
    told = {
        "annotation-train": HEAD + everyone,
        "pairs-train": "from,to\n" + "".join(f"p{k}.png,p{k + 1}.png\n" for k in range(5)),
        "pairs-test": "from,to\np5.png,p0.png\n",
    }
    for name, text in (told | {name.replace("_", "-"): text for name, text in tables.items()}).items():
        if text:
            (root / f"market-{name}.csv").write_text(text)
    return root


def test_a_pair_is_the_target_beside_the_other_image_with_the_targets_pose(tmp_path: Path) -> None:
    data = open_dataset(f"poses:{write(tmp_path / 'p')}", size=64, channels=3)
    assert (data.shape, data.source_shape, data.classes) == ((3, 64, 64), (22, 64, 64), None)
    assert (len(data.train), len(data.held_out), data.skipped) == (5, 1, ())
    given, target = data.train.partners[0], data.train.samples[0]
    assert (target == 20).all()
    assert (given[..., :3] == 10).all()
    # 32x64 pixels lie in the middle of 64x64: x is 16 more, y as it is. Joint 2 of p1 is at (6, 9).
    rows, columns = np.nonzero(given[..., 3 + 2])
    assert (rows.mean(), columns.mean()) == (9, 22)
    assert len(rows) == 13  # a disc of radius 2, a 32nd of the side: 1 + 3 + 5 + 3 + 1 pixels
    assert not given[..., 3 + 17].any()  # not seen
    mask = given[..., -1]
    assert set(np.unique(mask)) == {0, 255}
    assert mask[9, 22] == 255
    assert mask[9, 60] == 0
    assert (data.held_out.samples[0] == 10).all()
    assert (data.held_out.partners[0, ..., 0] == 60).all()


def test_a_limb_covers_what_lies_within_half_its_width() -> None:
    points = np.array([[[4, 8], [24, 8], [np.nan, np.nan]]], np.float32)
    mask = body(points, ((0, 1), (1, 2)), 32)[0, :, :, 0] > 0
    rows, columns = np.mgrid[:32, :32]
    along = np.clip(columns, 4, 24)
    expected = (columns - along) ** 2 + (rows - 8) ** 2 <= 2**2
    assert (mask == expected).all()


def test_where_points_lie_in_a_square_is_where_the_image_has_them() -> None:
    from zerosum.data.transforms import decode_whole

    pixels = np.zeros((40, 100, 3), np.uint8)
    pixels[28:32, 68:72] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    square = decode_whole(file.getvalue(), 50, 1)[:, :, 0].astype(float)
    centre = [(np.indices(square.shape)[axis] * square).sum() / square.sum() for axis in (1, 0)]
    points = whole_in_square(np.array([[69.5, 29.5]], np.float32), 100, 40, 50)
    assert points[0].tolist() == pytest.approx(centre, abs=0.05)
    near = discs(points[None], 50)[0, :, :, 0]
    assert near[round(centre[1]), round(centre[0])] == 255


def test_in_a_mirror_left_joints_are_right_ones(tmp_path: Path) -> None:
    data = open_dataset(f"poses:{write(tmp_path / 'p')}", size=32, channels=1)
    assert data.mirrored is not None
    assert [SWAPPED[other] for other in SWAPPED] == list(range(18))
    feed = Feed(data, device=torch.device("cpu"), value_range=(0.0, 255.0), flip=True)
    given, _ = feed.take_pairs(40)
    mirrored = 0
    for one in given.permute(0, 2, 3, 1).numpy().astype(np.uint8):
        level = one[0, 0, 0]
        wanted = data.train.partners[int(level) // 10 - 1]
        if (one == wanted).all():
            continue
        mirrored += 1
        assert (one == wanted[:, ::-1][..., [0, *(1 + other for other in SWAPPED), 19]]).all()
    assert 0 < mirrored < 40


def test_images_made_on_demand_are_asked_for_like_an_array() -> None:
    whole = np.random.RandomState(0).randint(0, 256, (7, 4, 4, 2), np.uint8)
    found = drawn(7, (4, 4, 2), lambda rows: whole[rows])
    assert (found.shape, found.nbytes, len(found), found.dtype) == (whole.shape, whole.nbytes, 7, whole.dtype)
    for key in (3, slice(2, 5), np.array([6, 0]), np.arange(7) % 2 == 0, slice(None)):
        assert (found[key] == whole[key]).all()
    assert (np.asarray(found) == whole).all()


def test_without_a_test_table_targets_are_held_out_by_their_content(tmp_path: Path) -> None:
    root = write(tmp_path / "p", pairs_test="")
    one, again = (open_dataset(f"poses:{root}", size=32) for _ in range(2))
    assert (len(one.train), len(one.held_out)) == (4, 1)
    assert one.fingerprint == again.fingerprint
    moved = write(tmp_path / "q", pairs_test="", annotation_train=HEAD + "".join(pose(9 - k) for k in range(10)))
    assert open_dataset(f"poses:{moved}", size=32).fingerprint == one.fingerprint  # the same poses in another order
    (moved / "market-annotation-train.csv").write_text(
        HEAD + "".join(pose(k).replace("[4, 5,", "[4, 6,") for k in range(6))
    )
    assert open_dataset(f"poses:{moved}", size=32).fingerprint != one.fingerprint


def test_what_a_run_is_given_needs_no_image_of_the_target(tmp_path: Path) -> None:
    root = write(
        tmp_path / "p",
        pairs_test="",
        pairs_train="from,to\np2.png,wanted.png\n",
        annotation_train=HEAD + pose(1).replace("p1", "wanted"),
    )
    reads = SOURCES["poses"].givens
    assert reads is not None
    ((name, given),) = reads(root, 64, 3)
    assert name == "p2-as-wanted"
    assert given.shape == (64, 64, 22)
    assert (given[..., :3] == 30).all()
    assert (given[..., 5] == discs(np.array([[[22, 9]]], np.float32), 64)[0, :, :, 0]).all()


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"pairs_train": "from,to\np0.png,who.png\n"}, "market-pairs-train.csv, line 2, names who.png, which"),
        ({"annotation_train": HEAD + pose(0)}, "line 2, names p1.png, which has no keypoints"),
        (
            {"annotation_train": HEAD + "p0.png: [1, two]: [1, 2]\n"},
            r"line 2, has keypoints '\[1, two\]'; expected numbers",
        ),
        ({"annotation_train": HEAD + "p0.png: 7: [1, 2]\n"}, "has keypoints '7'; expected numbers"),
        ({"annotation_train": HEAD + "p0.png: [1, 3]: [2]\n"}, "line 2, has 2 and 1 keypoints"),
        ({"annotation_train": HEAD + pose(0) + pose(1, 12)}, "line 3, has 12 and 12 keypoints; expected 18"),
        ({"annotation_train": HEAD + "p0.png\n"}, "has 0 and 1 keypoints"),
        ({"pairs_train": "from,to\np0.png\n"}, "line 2, is 'p0.png'; expected the names of two images"),
        ({"pairs_train": "a;b\n"}, "begins with 'a;b'; expected images, a CSV that begins with from,to"),
        ({"pairs_train": ""}, "add a table of pairs to train on"),
        ({"annotation_train": ""}, "has no poses: expected images"),
    ],
)
def test_a_table_that_is_wrong_is_refused_in_one_line(tmp_path: Path, tables: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said) as refusal:
        open_dataset(f"poses:{write(tmp_path / 'p', **tables)}", size=32)
    assert "\n" not in str(refusal.value)


def test_a_target_of_which_no_joint_is_seen_is_left_out_and_named(tmp_path: Path) -> None:
    blind = f"p1.png: {[-1] * 18}: {[-1] * 18}\n"
    everyone = HEAD + "".join(blind if k == 1 else pose(k) for k in range(6))
    data: Dataset = open_dataset(f"poses:{write(tmp_path / 'p', annotation_train=everyone)}", size=32)
    assert [(one.name, one.reason) for one in data.skipped] == [("p0.png,p1.png", "no joint of the target is seen")]
    assert len(data.train) == 4


def test_data_show_has_the_pose_between_the_two_images(tmp_path: Path) -> None:
    from zerosum.data.show import show

    show(open_dataset(f"poses:{write(tmp_path / 'p')}", size=64), tmp_path / "shown.png")
    levels = set(np.unique(np.asarray(Image.open(tmp_path / "shown.png"))))
    assert {10, 20, 127} <= levels  # two images, and a body
