"""Pairs, two unpaired sets and domains as data: what belongs together, what is held out, what is refused."""

from __future__ import annotations

import io
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data import Dataset, archive, open_dataset
from zerosum.data.archive import File
from zerosum.data.dataset import Split, of_class
from zerosum.data.degrade import Degradation
from zerosum.data.forms import age_of, arrange_ages, arrange_pairs, arrange_unpaired, halves_of, read_pairs
from zerosum.data.loader import Feed
from zerosum.errors import UserError


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def plain(level: int, side: int = 16) -> np.ndarray:
    """An image of one colour, by which it can be told."""
    return np.full((side, side, 3), level, np.uint8)


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def test_halves_side_by_side_are_a_pair(tmp_path: Path) -> None:
    files = {f"{k:02}.png": png(np.concatenate([plain(k), plain(100 + k)], axis=1)) for k in range(20)}
    data = open_dataset(f"pairs:{write(tmp_path / 'p', files)}")
    assert data.shape == data.source_shape == (1, 16, 16)
    assert len(data.train) + len(data.held_out) == 20
    assert len(data.held_out) > 0
    for split in (data.train, data.held_out):
        assert split.partners is not None
        assert (split.samples.astype(int) - split.partners == 100).all()


@pytest.mark.parametrize(
    ("left", "right"),
    [("photos", "labels"), ("trainA", "trainB"), ("A/train", "B/train"), ("set/A", "set/B"), ("train/A", "train/B")],
)
def test_files_of_one_name_in_two_folders_are_a_pair(tmp_path: Path, left: str, right: str) -> None:
    a, b = sorted([left, right])
    files = {f"{a}/{k:02}.png": png(plain(k)) for k in range(12)} | {
        f"{b}/{k:02}.jpg": png(plain(100 + k, 32)) for k in range(12)
    }
    data = open_dataset(f"pairs:{write(tmp_path / 'p', files)}", size=16)
    assert data.train.partners is not None
    assert len(data.train) + len(data.held_out) == 12
    assert (data.train.samples.astype(int) - data.train.partners == 100).all()


@pytest.mark.parametrize(
    ("left", "right", "ends"),
    [
        ("{}_label", "{}_img", ("", "")),
        ("leftImg8bit/{}/aachen", "gtFine/{}/aachen", ("_leftImg8bit", "_gtFine_color")),
    ],
)
def test_published_layouts_of_pairs_are_read(left: str, right: str, ends: tuple[str, str], tmp_path: Path) -> None:
    """pix2pixHD's and Cityscapes' own, whose other label maps and polygons are no halves."""
    files = {}
    for split, count in (("train", 6), ("val", 3)):
        for k in range(count):
            a, b = (
                f"{where.format(split)}/{split}{k}{end}.png" for where, end in zip((left, right), ends, strict=True)
            )
            files |= {a: png(plain(k)), b: png(plain(100 + k))}
    if ends[0]:
        files |= {"gtFine/train/aachen/train0_gtFine_labelIds.png": png(plain(9))}
        files |= {"gtFine/train/aachen/train0_gtFine_polygons.json": b"{}"}
    data = open_dataset(f"pairs:{write(tmp_path / 'p', files)}")
    assert (len(data.train), len(data.held_out)) == (6, 3)
    assert data.train.partners is not None
    assert (data.train.samples.astype(int) - data.train.partners == 100).all()


@pytest.mark.parametrize(("left", "right"), [("images", "masks"), ("label", "img"), ("A", "B")])
def test_two_folders_of_any_names_within_the_splits_are_halves(tmp_path: Path, left: str, right: str) -> None:
    files = {}
    for split in ("train", "test"):
        for number in range(3):
            files[f"{split}/{left}/{number}.png"] = png(plain(10 + number))
            files[f"{split}/{right}/{number}.png"] = png(plain(110 + number))
    found = open_dataset(f"pairs:{write(tmp_path, files)}")
    assert (len(found.train), len(found.held_out)) == (3, 3)
    assert found.train.partners is not None
    assert found.train.partners[:, 0, 0, 0].tolist() == [10, 11, 12]
    assert found.train.samples[:, 0, 0, 0].tolist() == [110, 111, 112]


def test_pairs_of_a_folder_are_read_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In trainA, trainB all first halves come before any second one: none of them waits in memory."""
    files = {f"train{side}/{k}.png": png(plain(level + k)) for side, level in (("A", 0), ("B", 100)) for k in range(5)}
    root = write(tmp_path, files)
    order: list[str] = []
    read_file = archive.read_file
    monkeypatch.setattr(archive, "read_file", lambda path, name: order.append(name) or read_file(path, name))
    made = [item.name for item in read_pairs(root) if isinstance(item, archive.File)]
    assert made == ["train/0", "train/1", "train/2", "train/3", "train/4"]
    assert order[-10:] == [f"train{side}/{k}.png" for k in range(5) for side in "AB"]


def test_what_is_no_image_has_no_partner_to_miss(tmp_path: Path) -> None:
    files = {f"{side}/{k}.png": png(plain(k)) for side in "AB" for k in range(4)} | {"A/notes.txt": b"of last summer"}
    data = open_dataset(f"pairs:{write(tmp_path / 'p', files)}")
    assert len(data.train) + len(data.held_out) == 4
    assert [one.name.endswith("notes.txt") for one in data.skipped] == [True]


def test_the_test_folder_is_held_out_and_the_validation_part_left_out() -> None:
    names = ["c/train/a.jpg", "c/train/b.jpg", "c/val/c.jpg", "c/test/d.jpg"]
    found = arrange_pairs(names, [b""] * 4)
    assert found.kept == [0, 1, 3]
    assert found.held.tolist() == [False, False, True]
    assert arrange_pairs(names[:3], [b""] * 3).held.tolist() == [False, False, True]


def test_a_missing_partner_and_unequal_halves_are_refused_by_name(tmp_path: Path) -> None:
    files = {"A/one.png": png(plain(1)), "A/two.png": png(plain(2)), "B/one.png": png(plain(3))}
    with pytest.raises(UserError, match=r"A/two.png has no partner \(1 such files\)"):
        open_dataset(f"pairs:{write(tmp_path / 'lonely', files)}")
    odd = {"a.png": png(np.zeros((16, 33, 3), np.uint8)), "b.png": png(np.zeros((16, 32, 3), np.uint8))}
    with pytest.raises(UserError, match=r"a.png is no pair: 33x16 pixels are no two equal halves"):
        open_dataset(f"pairs:{write(tmp_path / 'odd', odd)}")
    with pytest.raises(UserError, match="16x16 pixels are no two equal halves"):
        open_dataset(f"pairs:{write(tmp_path / 'square', {'a.png': png(plain(1)), 'b.png': png(plain(2))})}")


def test_halves_of_other_shapes_and_two_of_one_name_are_refused_by_name(tmp_path: Path) -> None:
    tall = np.zeros((32, 16, 3), np.uint8)
    pairs = {"A/1.png": png(plain(1)), "B/1.png": png(plain(2, 48)), "A/2.png": png(plain(3)), "B/2.png": png(tall)}
    with pytest.raises(UserError, match="2 is no pair: 16x16 and 16x32 pixels are no two halves of one shape"):
        open_dataset(f"pairs:{write(tmp_path / 'shapes', pairs)}", size=16)
    twice = {"A/1.png": png(plain(1)), "A/1.jpg": png(plain(2)), "B/1.png": png(plain(3))}
    with pytest.raises(UserError, match=r"A/1\.jpg and A/1\.png have one name") as refusal:
        open_dataset(f"pairs:{write(tmp_path / 'names', twice)}", size=16)
    assert "\n" not in str(refusal.value)
    rounded = {"A/1.png": png(np.zeros((25, 51, 3), np.uint8)), "B/1.png": png(np.zeros((50, 101, 3), np.uint8))}
    more = {f"{side}/{k}.png": png(plain(k)) for side in "AB" for k in range(2, 8)}
    assert len(open_dataset(f"pairs:{write(tmp_path / 'rounded', rounded | more)}", size=16).train) > 0


@pytest.mark.parametrize("kind", ["tar", "zip", "folder"])
def test_halves_wait_for_theirs_outside_of_memory(tmp_path: Path, kind: str) -> None:
    """All of A comes before all of B, as archives are packed: 8 MiB of noise, of which little is held at a time."""
    rng = np.random.default_rng(0)
    files = {f"train{s}/{k}.png": png(rng.integers(0, 256, (128, 128, 3), np.uint8)) for s in "AB" for k in range(80)}
    root = write(tmp_path / "p", files)
    path = root if kind == "folder" else Path(shutil.make_archive(str(tmp_path / "packed"), kind, root))
    tracemalloc.start()
    count = 0
    for pair in read_pairs(path):
        assert isinstance(pair, File)
        a, b = (files[f"train{side}/{pair.name.rpartition('/')[2]}.png"] for side in "AB")
        assert pair.data.endswith(a + b)
        count += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 80
    assert peak < 2 * 2**20


@pytest.mark.parametrize("kind", ["tar", "zip", "folder"])
def test_a_domain_that_is_empty_in_an_archive_is_named_as_one_in_a_folder(tmp_path: Path, kind: str) -> None:
    files = {f"all/{name}/{k}.png": png(plain(10 * k)) for name in ("cats", "dogs") for k in range(6)}
    root = write(tmp_path / "p", files)
    (root / "all" / "mice").mkdir()
    path = root if kind == "folder" else Path(shutil.make_archive(str(tmp_path / "packed"), kind, root))
    with pytest.raises(UserError, match=r"domain 'mice' of .* has no image that can be read: add some"):
        open_dataset(f"domains:{path}")


def test_names_without_two_sides_are_single_files() -> None:
    assert halves_of(["train/a.jpg", "test/b.jpg"]) is None
    assert halves_of(["a.jpg", "b.jpg"]) is None
    assert halves_of(["x/trainA/a.jpg", "x/testB/a.jpg"]) == {
        "x/trainA/a.jpg": (0, "train/a"),
        "x/testB/a.jpg": (1, "test/a"),
    }


def test_two_sets_are_two_classes_and_their_test_folders_held_out() -> None:
    names = ["f/trainA/a", "f/trainB/b", "f/trainB/c", "f/testA/d", "f/readme"]
    found = arrange_unpaired(names, [bytes([k]) for k in range(5)])
    assert (found.kept, found.labels, found.classes) == ([0, 1, 2, 3], [0, 1, 1, 0], ("A", "B"))
    assert found.held.tolist() == [False, False, False, True]
    with pytest.raises(UserError, match="no image lies in trainB"):
        arrange_unpaired(["trainA/a"], [b""])


def test_domains_are_refused_where_there_is_one_or_an_empty_one(tmp_path: Path) -> None:
    root = write(tmp_path / "d", {f"red/{k}.png": png(plain(k)) for k in range(5)})
    with pytest.raises(UserError, match="has one domain; expected a subfolder"):
        open_dataset(f"domains:{root}")
    write(root, {f"blue/{k}.png": png(plain(50 + k)) for k in range(5)})
    assert open_dataset(f"domains:{root}").classes == ("blue", "red")
    (root / "green").mkdir()
    with pytest.raises(UserError, match=r"domain 'green' of .* has no image"):
        open_dataset(f"domains:{root}")
    sets = {f"{name}/{k}.png": png(plain(k)) for name in ("trainA", "trainB", "testA", "testB") for k in range(5)}
    with pytest.raises(UserError, match="has trainA and trainB, two sets of images: name it unpaired:PATH"):
        open_dataset(f"domains:{write(tmp_path / 'sets', sets)}")


def test_ages_that_begin_file_names_are_the_papers_six_groups(tmp_path: Path) -> None:
    ages = (0, 18, 19, 29, 30, 39, 40, 49, 50, 59, 60, 116)
    names = [f"part1/{age}_1_0_20170109150557335.jpg.chip.jpg" for age in ages] + ["part1/readme.jpg", "x/1234_0.jpg"]
    found = arrange_ages(names, [bytes([k]) for k in range(len(names))])
    assert found.classes == ("0-18", "19-29", "30-39", "40-49", "50-59", "60+")
    assert list(found.classes) == sorted(found.classes)  # so that folders of these names have the same order
    assert found.labels == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert found.kept == list(range(12))
    with pytest.raises(UserError, match="fall into 1 of the groups 0-18") as refusal:
        arrange_ages(["3_0_0_1.jpg", "17_0_1.jpg", "face.jpg"], [b"a", b"b", b"c"])
    parts = [f"f/{part}/{age}_0.jpg" for part in ("train", "test") for age in (3, 25)] + ["f/val/3_0.jpg"]
    found = arrange_ages(parts, [bytes([k]) for k in range(5)])
    assert (found.kept, found.held.tolist()) == ([0, 1, 2, 3], [False, False, True, True])
    with pytest.raises(UserError, match="class 40-49 has images held out and none in train"):
        arrange_ages([*parts, "f/test/44_0.jpg"], [bytes([k]) for k in range(6)])
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "age"),
    [
        ("23_1_0_20170103.jpg", 23),
        ("nm0000100_rm46373120_1955-1-6_2003.jpg", 48),  # IMDB's
        ("10000217_1981-05-05_2009.jpg", 28),  # WIKI's
        ("nm1_rm2_1981-07-01_2009.jpg", 27),  # not yet 28 in the middle of that year
        ("nm1_rm2_1981-6-30_2009.jpg", 28),
        ("nm1_rm2_0-0-0_2009.jpg", None),
        ("nm1_rm2_2010-1-1_2009.jpg", None),
        ("117_0_0_1.jpg", None),
        ("1234_0.jpg", None),
        ("face.jpg", None),
    ],
)
def test_an_age_is_read_as_utkface_and_imdb_wiki_tell_it(name: str, age: int | None) -> None:
    assert age_of(name) == age


def test_a_folder_of_faces_is_read_in_groups_and_what_has_no_age_is_named(tmp_path: Path) -> None:
    files = {f"UTKFace/{age}_0_2_201701{age:02}.jpg": png(plain(age)) for age in (5, 9, 35, 36, 70, 71)}
    data = open_dataset(f"ages:{write(tmp_path / 'a', {**files, 'UTKFace/notes.jpg': png(plain(99))})}")
    assert data.classes == ("0-18", "30-39", "60+")  # an age that nobody has is no class
    for split in (data.train, data.held_out):
        assert split.labels is not None
        pixels = [int(sample[0, 0, 0]) for sample in split.samples]
        assert [("0-18", "30-39", "60+")[label] for label in split.labels] == [
            "0-18" if age < 20 else "30-39" if age < 40 else "60+" for age in pixels
        ]
    assert len(data.train) + len(data.held_out) == 6
    assert [(one.name, one.reason) for one in data.skipped] == [("UTKFace/notes.jpg", "its name tells no age")]


def test_folders_that_are_no_classes_may_be_empty(tmp_path: Path) -> None:
    """UTKFace's folder of landmarks, and an empty testA, are in nobody's way."""
    faces = {f"part/{age}_0_0_{k}.png": png(plain(age + k)) for age in (10, 60) for k in range(3)}
    sets = {f"train{side}/{k}.png": png(plain(9 * k)) for side in "AB" for k in range(3)}
    for kind, files, beside in (("ages", faces, "landmarks/a.txt"), ("unpaired", sets, "testA/a.txt")):
        root = write(tmp_path / kind, {**files, beside: b"no image"})
        found = open_dataset(f"{kind}:{root}", size=16)
        assert (found.empty_classes, [one.name for one in found.skipped]) == ((), [beside])


def test_data_show_has_both_halves_of_a_pair(tmp_path: Path) -> None:
    from zerosum.data.show import show

    files = {f"{k:02}.png": png(np.concatenate([plain(40), plain(200)], axis=1)) for k in range(30)}
    show(open_dataset(f"pairs:{write(tmp_path / 'p', files)}"), tmp_path / "shown.png")
    levels = set(np.unique(np.asarray(Image.open(tmp_path / "shown.png"))))
    assert {40, 200} <= levels


def test_the_street_scenes_and_the_flowers_are_read_whole(real_data: Path) -> None:
    streets = open_dataset(f"pairs:{real_data / 'pairs' / 'camvid128.tar'}", size=32)
    assert (len(streets.train), len(streets.held_out), len(streets.skipped)) == (367, 233, 101)
    flowers = open_dataset(f"unpaired:{real_data / 'unpaired' / 'daisy2sunflower128.tar'}", size=32)
    for split, expected in ((flowers.train, [662, 612]), (flowers.held_out, [80, 80])):
        assert split.labels is not None
        assert np.bincount(split.labels).tolist() == expected


def numbered(count: int) -> Dataset:
    """Pairs whose left halves are k and whose right ones 100 + k, with a bright column on the left of each."""
    samples = np.stack([plain(100 + k, 8) for k in range(count)])
    partners = np.stack([plain(k, 8) for k in range(count)])
    samples[:, :, 0] = partners[:, :, 0] = 255
    split = Split(samples=samples, partners=partners, labels=np.arange(count) % 2)
    return Dataset(name="n", kind="images", train=split, held_out=split, classes=("a", "b"), fingerprint="")


def feed(data: Dataset, **told: object) -> Feed:
    return Feed(data, device=torch.device("cpu"), value_range=(0.0, 255.0), **told)  # type: ignore[arg-type]


def test_both_halves_are_drawn_mirrored_and_cut_alike() -> None:
    given, made = feed(numbered(40), flip=True, jitter=1.5).take_pairs(40)
    assert given.shape == made.shape == (40, 3, 8, 8)
    inside = (given < 60) & (made < 160)  # away from the bright column, which is enlarged into its neighbours
    assert inside.float().mean() > 0.5
    assert ((made - given)[inside] - 100).abs().max() < 1e-2
    left, right = (given[:, 0, :, column].mean(1) > 100 for column in (0, -1))
    assert 0 < left.sum() < 40  # neither all mirrored, nor all cut at the same place
    assert 0 < right.sum() < 40


def test_a_feed_goes_on_where_it_was_with_pairs_as_without() -> None:
    one, other = feed(numbered(10), jitter=1.25, flip=True), feed(numbered(10), jitter=1.25, flip=True)
    one.take_pairs(7)
    other.load_state_dict(one.state_dict())
    for a, b in zip(one.take_pairs(6), other.take_pairs(6), strict=True):
        assert torch.equal(a, b)


def test_a_class_that_lies_together_is_no_copy() -> None:
    samples = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    split = Split(samples=samples, labels=np.array([0, 0, 1, 1, 1, 0]))
    assert np.shares_memory(split.of(1).samples, samples)
    assert split.of(1).samples[:, 0, 0, 0].tolist() == [2, 3, 4]
    assert split.of(0).samples[:, 0, 0, 0].tolist() == [0, 1, 5]
    assert len(split.of(2)) == 0


def test_a_class_alone_has_its_own_samples() -> None:
    alone = of_class(numbered(10), 1)
    assert alone.classes is None
    assert alone.train.samples[:, 0, 1, 0].tolist() == [101, 103, 105, 107, 109]


def test_small_images_are_the_large_ones_reduced() -> None:
    data = open_dataset("upscale:digits", size=32)
    split = data.train
    assert split.partners is not None
    assert (data.shape, data.source_shape, data.classes) == ((1, 32, 32), (1, 8, 8), None)
    expected = Image.fromarray(split.samples[7][:, :, 0]).resize((8, 8), Image.Resampling.BICUBIC)
    assert (split.partners[7][:, :, 0] == np.asarray(expected)).all()


def test_a_degradation_blurs_adds_noise_and_goes_through_jpeg() -> None:
    plainly = open_dataset("upscale:factor=2:digits", size=32).train.partners
    assert plainly is not None
    assert plainly.shape[1:] == (16, 16, 1)
    for told in ("blur=2", "noise=10", "jpeg=10"):
        found = open_dataset(f"upscale:factor=2,{told}:digits", size=32).train.partners
        again = open_dataset(f"upscale:factor=2,{told}:digits", size=32).train.partners
        assert found is not None
        assert again is not None
        assert (found == again).all()
        gap = np.abs(found[:50].astype(float) - plainly[:50]).mean()
        assert 1 < gap < 60, told
    noisy = Degradation(factor=2, noise=10.0)(np.full((4, 64, 64, 1), 128, np.uint8))
    assert np.std(noisy[0].astype(float)) == pytest.approx(10, rel=0.1)


def test_a_wrong_degradation_is_refused() -> None:
    for told, said in (
        ("factor=3:digits", "factor is 3; expected 2, 4 or 8"),
        ("blurr=1:digits", "upscale knows no 'blurr'; did you mean blur"),
        ("blur=much:digits", "blur is 'much'; expected a number"),
        ("jpeg=99:digits", "jpeg from 1 to 95"),
        ("ring", "is made of points"),
    ):
        with pytest.raises(UserError, match=said):
            open_dataset(f"upscale:{told}", size=None if told == "ring" else 32)
    with pytest.raises(UserError, match="30 pixels are no multiple of the factor 4"):
        open_dataset("upscale:digits", size=30)
