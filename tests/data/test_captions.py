"""Captions as data: words and rows, folders of images with texts, measured digits, and what the feed draws of them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data import Dataset, Split, open_dataset
from zerosum.data.captions import Vocabulary, key_of, words_of
from zerosum.data.dataset import fingerprint
from zerosum.data.loader import Feed
from zerosum.data.placed import place
from zerosum.data.show import show
from zerosum.data.strokes import measure
from zerosum.errors import UserError

CPU = torch.device("cpu")
Picture = Callable[..., bytes]


def write(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return root


def told(data: Dataset) -> dict[str, set[str]]:
    """The captions of each image of both splits, by the image's first pixel."""
    assert data.text is not None
    vocabulary = Vocabulary(data.words, data.text[1])
    found = {}
    for split in (data.train, data.held_out):
        assert split.captions is not None
        for image, rows in zip(split.samples, split.captions, strict=True):
            found[str(image[0, 0, 0])] = {vocabulary.text(row) for row in rows}
    return found


def grey(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16), level, np.uint8)).save(file, format="PNG")
    return file.getvalue()


# Words and rows


def test_words_are_small_letters_without_punctuation() -> None:
    found = words_of("This bird's WING, red-ish (and _blue_): 3 été!")
    assert found == ["this", "bird's", "wing", "red", "ish", "and", "blue", "3", "été"]


def test_a_row_has_the_words_numbers_from_one_and_then_zeros() -> None:
    vocabulary = Vocabulary.of([["a red bird"], ["A bird!", "a bird that is red"]])
    assert vocabulary.words == ("a", "bird", "is", "red", "that")
    assert vocabulary.length == 5
    rows = vocabulary.rows([["a red bird"], ["red", "is that a bird"]], each=3)
    assert rows[0].tolist() == [[1, 4, 2, 0, 0]] * 3  # one caption, as often as there is room
    assert rows[1].tolist() == [[4, 0, 0, 0, 0], [3, 5, 1, 2, 0], [4, 0, 0, 0, 0]]
    assert vocabulary.text(rows[1, 1]) == "is that a bird"


def test_a_vocabulary_keeps_the_most_frequent_words_and_rows_their_first() -> None:
    many = [[f"word{number}"] for number in range(10_050)] + [["word10049 word10049"]]
    vocabulary = Vocabulary.of(many)
    assert len(vocabulary.words) == 10_000
    assert "word10049" in vocabulary.words
    long = Vocabulary.of([[" ".join(f"w{number}" for number in range(60))]])
    assert long.length == 40
    assert long.rows([["w59 " * 50]], 1).shape == (1, 1, 40)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the text '' has no word"),
        ("?! ...", "has no word; expected some such as: a, bird"),
        ("x" * 10_000, "has 10,000 characters; expected at most 1,000"),
        ("a bord", "'bord', did you mean bird?"),
        ("a zqx blue bird", "don't have 'zqx', known: a, bird, red; 'blue'"),
        ("a red bird a red bird", "has 6 words, and this run learned from at most 3"),
    ],
)
def test_a_text_that_was_never_learned_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError) as refusal:
        Vocabulary.of([["a red bird"]]).row(text)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


# Folders


def test_a_text_lies_beside_its_image_or_under_text_as_the_image_under_images(tmp_path: Path) -> None:
    beside = {f"{level}.png": grey(level) for level in range(1, 8)} | {f"{k}.txt": f"grey {k}\n" for k in range(1, 8)}
    birds = {f"cub/images/00{k % 2}.Bird/{k}.png": grey(k) for k in range(1, 8)}
    birds |= {f"cub/text/00{k % 2}.Bird/{k}.txt": f"grey {k}\n" for k in range(1, 8)}
    flowers = {f"jpg/image_{k}.png": grey(k) for k in range(1, 8)}
    flowers |= {f"text_c10/class_{k % 3}/image_{k}.txt": f"grey {k}\n" for k in range(1, 8)}
    expected = {str(level): {f"grey {level}"} for level in range(1, 8)}
    expected_words = {*"1234567", "grey"}
    for name, files in {"beside": beside, "birds": birds, "flowers": flowers}.items():
        data = open_dataset(f"captions:{write(tmp_path / name, files)}")
        assert set(data.words) <= expected_words
        found = told(data)
        held = {str(image[0, 0, 0]) for image in data.held_out.samples}
        assert {level: texts for level, texts in found.items() if level not in held} == {
            level: texts for level, texts in expected.items() if level not in held
        }
        assert held  # by content, and a word that only they have is unknown
        assert all(found[level] == {"grey"} for level in held)
        assert (data.classes, data.skipped, data.empty_classes) == (None, (), ())


def test_folder_tar_and_zip_are_the_same_data(tmp_path: Path) -> None:
    files = {f"images/{k}.png": grey(k) for k in range(8)} | {
        f"text/{k}.txt": f"tone {k % 3}\na tone" for k in range(8)
    }
    folder = write(tmp_path / "set", files)
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as tar:
        tar.add(folder, "set")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in sorted(files, reverse=True):
            archive.write(folder / name, name)
    prints = {open_dataset(f"captions:{tmp_path / name}").fingerprint for name in ("set", "set.tar.gz", "set.zip")}
    assert len(prints) == 1


def test_what_lies_in_test_is_held_out_and_in_val_left_out(tmp_path: Path) -> None:
    parts = dict.fromkeys(range(1, 7), "train") | dict.fromkeys(range(7, 10), "test") | dict.fromkeys((10, 11), "val")
    files = {f"all/{part}/{k}.png": grey(k) for k, part in parts.items()}
    files |= {f"all/{part}/{k}.txt": f"grey {k}" for k, part in parts.items()}
    data = open_dataset(f"captions:{write(tmp_path / 'set', files)}")
    levels = [sorted(int(image[0, 0, 0]) for image in split.samples) for split in (data.train, data.held_out)]
    assert levels == [[*range(1, 7)], [7, 8, 9]]


def test_another_caption_is_other_data_and_ten_of_an_image_are_used(tmp_path: Path) -> None:
    files = {f"{k}.png": grey(k) for k in range(6)} | {f"{k}.txt": f"tone {k}" for k in range(6)}
    folder = write(tmp_path / "set", files)
    first = open_dataset(f"captions:{folder}")
    write(folder, {"3.txt": "\n".join(f"line {number}" for number in range(12))})
    second = open_dataset(f"captions:{folder}")
    assert first.fingerprint != second.fingerprint
    assert second.train.captions is not None
    assert second.train.captions.shape[1] == 10
    assert "3" not in {level for level, texts in told(second).items() if texts == {"tone"}}


def test_what_has_no_partner_or_is_no_text_is_named(tmp_path: Path, picture: Picture) -> None:
    files: dict[str, bytes | str] = {f"{k}.png": picture(k) for k in range(6)} | {f"{k}.txt": "one" for k in range(6)}
    files |= {"lonely.png": picture(9), "README.txt": "of no image", "1.txt": b"\xff\xfe\x00", "2.txt": " \n.\n"}
    files |= {"broken.png": b"no image", "broken.txt": "one"}
    data = open_dataset(f"captions:{write(tmp_path / 'set', files)}")
    assert {(one.name, one.reason) for one in data.skipped if one.name != "broken.png"} == {
        ("lonely.png", "it has no captions"),
        ("README.txt", "captions of no image"),
        ("1.png", "its captions are no UTF-8"),
        ("2.png", "its captions are empty"),
    }
    assert "broken.png" in {one.name for one in data.skipped}
    assert len(data.train) + len(data.held_out) == 4


def test_a_folder_without_captions_is_refused_in_one_line(tmp_path: Path, picture: Picture) -> None:
    folder = write(tmp_path / "set", {"a.png": picture(1), "b.png": picture(2)})
    with pytest.raises(
        UserError, match=r"no image that can be read \(2 files skipped, the first is .*it has no captions"
    ):
        open_dataset(f"captions:{folder}")
    with pytest.raises(UserError, match="captions needs a path"):
        open_dataset("captions:")


def test_keys_leave_out_the_folders_of_either_kind() -> None:
    assert key_of("CUB/images/001.Tern/a.b.jpg") == key_of("CUB/text/001.Tern/a.b.txt") == "CUB/001.Tern/a.b"


# Digits


def bar(thickness: int, slant: float, side: int = 28) -> np.ndarray:
    """An upright bar of so many pixels of 28, sheared: its top lies to the right where slant is above 0."""
    big = 8 * side
    y, x = np.mgrid[:big, :big] / (big / 28)
    inside = (np.abs(x - 14 + slant * (y - 14)) < thickness / 2) & (np.abs(y - 14) < 10)
    blocks = inside.reshape(side, 8, side, 8).mean(axis=(1, 3))
    return (255 * blocks).round().astype(np.uint8)[..., None]


@pytest.mark.parametrize("side", [28, 56])
def test_thickness_slant_and_width_of_bars_that_are_known(side: int) -> None:
    cases = [(2, 0.0), (4, 0.0), (4, 0.3), (4, -0.5)]
    found = measure(np.stack([bar(thickness, slant, side) for thickness, slant in cases]))
    for index, (thickness, slant) in enumerate(cases):
        across = thickness / np.sqrt(1 + slant**2)  # at a right angle to the stroke
        # Of a bar of height h: area over half the outline, h t / (h sqrt(1 + slant^2) + t).
        by_hand = 20 * thickness / (20 * np.sqrt(1 + slant**2) + thickness)
        assert by_hand < across
        assert found.thickness[index] == pytest.approx(by_hand, rel=0.08)
        assert found.slant[index] == pytest.approx(slant, abs=0.01)
        assert found.width[index] == pytest.approx(4 * thickness / np.sqrt(12), rel=0.08)  # an even spread's deviation
        assert found.height[index] == pytest.approx(4 * 20 / np.sqrt(12), rel=0.08)
        assert (found.x[index], found.y[index]) == pytest.approx((0, 0), abs=0.07)  # pixels begin at their corners
    moved = np.roll(bar(2, 0.0, side), (side // 14, -side // 7), axis=(0, 1))  # 2 of 28 pixels down, 4 to the left
    found = measure(moved[None])
    assert (found.x[0], found.y[0]) == pytest.approx((-4, 2), abs=0.07)


def test_an_empty_image_has_no_strokes() -> None:
    found = measure(np.zeros((1, 28, 28, 1), np.uint8))
    assert [float(value[0]) for value in vars(found).values()] == [0.0] * 6


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset("captions:digits", size=28)


def test_captions_of_digits_say_what_was_measured(digits: Dataset) -> None:
    plain = open_dataset("digits")
    assert digits.text is not None
    assert digits.train.captions is not None
    assert plain.train.labels is not None
    vocabulary = Vocabulary(digits.words, digits.text[1])
    assert np.array_equal(digits.train.samples, plain.train.samples)
    found = measure(plain.train.samples)
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    for row in range(0, 9000, 301):
        full = vocabulary.text(digits.train.captions[row, 0])
        assert names[plain.train.labels[row]] in full.split()
        assert ("thick" in full.split()) == (found.thickness[row] >= 2.8)
        assert ("thin" in full.split()) == (found.thickness[row] < 2.25)
        assert ("left" in full.split()) == (found.slant[row] < 0)
        assert ("right" in full.split()) == (found.slant[row] >= 0.26)
        texts = [vocabulary.text(one) for one in digits.train.captions[row]]
        assert len(set(texts)) >= 8
        assert all(names[plain.train.labels[row]] in text.split() for text in texts)
    assert vocabulary.row("a thick seven leaning left").any()
    assert vocabulary.row("A thick seven that leans to the right.").any()


def test_each_property_has_about_a_third_of_the_digits(digits: Dataset) -> None:
    assert digits.text is not None
    assert digits.train.captions is not None
    for words, low, high in ((("thin", "thick"), 0.2, 0.45), (("left", "right"), 0.2, 0.45)):
        for word in words:
            number = digits.words.index(word) + 1
            assert low < (digits.train.captions[:, 0] == number).any(axis=1).mean() < high


def test_placed_digits_say_how_large_they_are_and_where_they_lie() -> None:
    data, plain = open_dataset("captions:placed-digits", size=28), open_dataset("digits")
    assert data.name == "captions:placed-digits"
    assert data.text is not None
    vocabulary = Vocabulary(data.words, data.text[1])
    for split, from_ in ((data.train, plain.train), (data.held_out, plain.held_out)):
        assert split.captions is not None
        assert from_.labels is not None
        there, drawn = measure(split.samples), measure(from_.samples)
        train = measure(data.train.samples).height
        for row in range(0, len(split), 301):
            digit = int(from_.labels[row])
            low, high = np.quantile(train[plain.train.labels == digit], (1 / 3, 2 / 3))
            told = vocabulary.text(split.captions[row, 0])
            size = "small" if there.height[row] <= low else "large" if there.height[row] > high else "middling"
            assert size in told.split()
            assert ("thick" in told.split()) == (drawn.thickness[row] >= 2.8)  # of the digit itself, whatever its size
            place = told.partition(" in the ")[2].split()
            assert ("upper" in place, "lower" in place) == (there.y[row] < -2.5, there.y[row] >= 2.5)
            assert ("left" in place, "right" in place) == (there.x[row] < -2.5, there.x[row] >= 2.5)
    assert vocabulary.row("a small thin seven in the upper left").any()


def test_placed_ink_is_whole_of_a_drawn_size_and_anywhere() -> None:
    square = np.zeros((400, 28, 28, 1), np.uint8)
    square[:, 4:24, 6:16] = 255  # 20 high and 10 wide
    found = place(square, 56, 3, seed=1)
    assert found.shape == (400, 56, 56, 3)
    ink = found[..., 2] > 0
    heights, widths = (ink.any(axis=axis).sum(axis=1) for axis in (2, 1))
    assert 24 <= heights.min() <= 27  # 0.6 to 1.0 of 40 pixels, and what is grey at the edges
    assert 40 <= heights.max() <= 43
    assert np.abs(heights - 2 * widths).max() <= 4
    tops, lefts = (ink.any(axis=axis).argmax(axis=1) for axis in (2, 1))
    assert (tops.min(), (tops + heights).max(), lefts.min(), (lefts + widths).max()) == (0, 56, 0, 56)
    assert np.array_equal(found, place(square, 56, 3, seed=1))
    assert not np.array_equal(found, place(square, 56, 3, seed=2))


# What is drawn


def captioned(digits: Dataset, count: int = 40) -> Dataset:
    few = digits.train.captions
    assert few is not None
    split = Split(samples=digits.train.samples[:count], captions=few[:count])
    return replace(digits, train=split)


def test_the_feed_draws_one_of_each_images_captions_and_every_one_in_time(digits: Dataset) -> None:
    data = captioned(digits)
    feed, seen = Feed(data, device=CPU, seed=3), set()
    assert data.train.captions is not None
    known = {image.tobytes(): index for index, image in enumerate(data.train.samples)}
    for _ in range(60):
        x, y = feed.take(20)
        assert y is not None
        assert y.dtype == torch.int64
        pixels = ((x + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        for image, row in zip(pixels, y.numpy(), strict=True):
            index = known[image.tobytes()]
            places = [k for k, one in enumerate(data.train.captions[index]) if np.array_equal(one, row)]
            assert places
            seen.add((index, places[0]))
    assert len(seen) > 0.9 * sum(len({row.tobytes() for row in rows}) for rows in data.train.captions)


def test_captions_go_on_exactly_and_ranks_share_them(digits: Dataset) -> None:
    data = captioned(digits)
    whole = Feed(data, device=CPU, seed=1)
    drawn = [(whole.take(8)[1], whole.labels(8)) for _ in range(4)]
    again = Feed(data, device=CPU, seed=1)
    for _ in range(2):
        again.take(8)
        again.labels(8)
    other = Feed(data, device=CPU, seed=1)
    other.load_state_dict(again.state_dict())
    for y, asked in drawn[2:]:
        assert torch.equal(other.take(8)[1], y)  # type: ignore[arg-type]
        assert torch.equal(other.labels(8), asked)  # type: ignore[arg-type]
    ranks = [Feed(data, device=CPU, seed=1, rank=rank, world=2) for rank in range(2)]
    for y, asked in drawn:
        assert torch.equal(torch.cat([rank.take(8)[1] for rank in ranks]), y)  # type: ignore[arg-type, misc]
        assert torch.equal(torch.cat([rank.labels(8) for rank in ranks]), asked)  # type: ignore[arg-type, misc]


def test_a_fingerprint_takes_captions_in_and_is_what_it_was_without(digits: Dataset) -> None:
    data = captioned(digits)
    assert data.train.captions is not None
    changed = data.train.captions.copy()
    changed[0, 0, 0] += 1
    both = [fingerprint(replace(data.train, captions=rows), data.train) for rows in (data.train.captions, changed)]
    assert both[0] != both[1]
    assert open_dataset("digits").fingerprint.startswith(
        "8047a1007968d5ca"
    )  # as runs before there were captions have it


def test_data_show_tells_the_captions(tmp_path: Path, digits: Dataset) -> None:
    facts = show(digits, tmp_path / "digits.png")
    assert facts["captions"]["words"] == len(digits.words)
    assert "a medium five that stands upright" in facts["captions"]["first"]
    assert show(open_dataset("digits"), tmp_path / "plain.png")["captions"] is None
