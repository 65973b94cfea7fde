"""A folder, tar or zip of images as a dataset: classes, held-out part, cache, and what is skipped."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.api.assemble import find_data
from zerosum.data import Dataset, archive, convert, open_dataset, transforms
from zerosum.data.forms import empty_classes, layout
from zerosum.errors import UserError
from zerosum.recipes import recipe

Picture = Callable[..., bytes]


def write(root: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        root.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        root.joinpath(name).write_bytes(data)
    return root


def reasons(data: Dataset) -> dict[str, str]:
    return {one.name: one.reason for one in data.skipped}


@pytest.fixture
def zoo(picture: Picture) -> dict[str, bytes]:
    """Sixty cats, forty dogs."""
    return {f"zoo/{'cats' if seed < 60 else 'dogs'}/{seed:03d}.png": picture(seed) for seed in range(100)}


def test_a_folder_a_tar_and_a_zip_are_the_same_data(tmp_path: Path, zoo: dict[str, bytes]) -> None:
    folder = write(tmp_path / "x", zoo)
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar:
        for name in sorted(zoo, reverse=True):
            tar.add(folder / name, f"./{name}")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        for name, data in zoo.items():
            file.writestr(name, data)
    sets = [open_dataset(f"folder:{tmp_path / name}") for name in ("x", "x.tar.gz", "x.zip", "x/zoo")]
    assert len({data.fingerprint for data in sets}) == 1
    assert sets[0].classes == ("cats", "dogs")
    assert sets[0].name == f"folder:{tmp_path / 'x'}"
    assert open_dataset(str(tmp_path / "x")).fingerprint == sets[0].fingerprint


def test_each_image_has_its_own_pixels_and_label(tmp_path: Path, zoo: dict[str, bytes]) -> None:
    data = open_dataset(str(write(tmp_path / "x", zoo)))
    assert (data.kind, data.shape) == ("images", (3, 16, 16))
    assert isinstance(data.train.samples, np.memmap)
    assert data.train.labels is not None
    assert data.held_out.labels is not None
    expected = {np.asarray(Image.open(io.BytesIO(file))).tobytes(): "cats" in name for name, file in zoo.items()}
    found = {}
    for split in (data.train, data.held_out):
        assert split.labels is not None
        for pixels, label in zip(split.samples, split.labels, strict=True):
            found[np.asarray(pixels).tobytes()] = label == 0
    assert found == expected


def test_the_same_images_are_held_out_whatever_else_is_there(tmp_path: Path, picture: Picture) -> None:
    many = {f"{seed}.png": picture(seed, size=(4, 4)) for seed in range(300)}
    renamed = {f"{index}-{name}": many[name] for index, name in enumerate(reversed(many))}
    fewer = dict(list(many.items())[:200])

    def held(name: str, content: dict[str, bytes]) -> set[bytes]:
        data = open_dataset(str(write(tmp_path / name, content)))
        assert len(data.train) + len(data.held_out) == len(content)
        train = {pixels.tobytes() for pixels in data.train.samples}
        out = {pixels.tobytes() for pixels in data.held_out.samples}
        assert not train & out
        return out

    everything = held("many", many)
    assert 4 < len(everything) < 30
    assert held("renamed", renamed) == everything
    assert held("fewer", fewer) < everything


@pytest.mark.parametrize(
    ("names", "classes", "labels"),
    [
        (["a.png", "b.png"], (), None),
        (["top/a.png", "top/b.png"], (), None),
        (["top/cats/a.png", "top/dogs/b.png"], ("cats", "dogs"), [0, 1]),
        (["cats/deep/er/a.png", "dogs/b.png", "cats/c.png"], ("cats", "dogs"), [0, 1, 0]),
        (["top/only/a.png", "top/only/b.png"], (), None),
        (["top/only/a.png", "top/b.png"], (), None),
        (["10/a.png", "9/b.png"], ("10", "9"), [0, 1]),
    ],
)
def test_subfolders_are_classes_and_one_alone_is_none(
    names: list[str], classes: tuple[str, ...], labels: list[int] | None
) -> None:
    assert layout(names) == (list(range(len(names))), classes, labels)


def test_an_image_beside_the_class_folders_is_named(tmp_path: Path, zoo: dict[str, bytes], picture: Picture) -> None:
    data = open_dataset(str(write(tmp_path / "x", zoo | {"zoo/cover.png": picture(500)})))
    assert data.classes == ("cats", "dogs")
    assert reasons(data) == {"zoo/cover.png": "outside the class folders"}
    mostly = {f"{seed}.png": picture(seed) for seed in range(5)} | {"a/x.png": picture(6), "b/x.png": picture(7)}
    loose = open_dataset(str(write(tmp_path / "y", mostly)))
    assert (loose.classes, loose.skipped, len(loose.train) + len(loose.held_out)) == (None, (), 7)


def test_folders_train_and_test_hold_the_classes_and_what_is_held_out(tmp_path: Path, picture: Picture) -> None:
    names = ["train/cats/a", "train/cats/b", "train/dogs/a", "test/cats/c", "test/dogs/c", "val/dogs/d"]
    files = {f"{name}.png": picture(number) for number, name in enumerate(names)}
    data = open_dataset(str(write(tmp_path / "x", files)))
    assert data.classes == ("cats", "dogs")
    assert [list(split.labels) for split in (data.train, data.held_out) if split.labels is not None] == [
        [0, 0, 1],
        [0, 1],
    ]
    assert reasons(data) == {"val/dogs/d.png": "outside the folders train and test (or val), or their class folders"}
    assert {pixels.tobytes() for pixels in data.held_out.samples} == {
        np.asarray(Image.open(io.BytesIO(files[f"{name}.png"]))).tobytes() for name in names[3:5]
    }
    plain = {f"{split}/{seed}.png": picture(seed) for seed, split in enumerate(["train", "train", "val"])}
    alone = open_dataset(str(write(tmp_path / "y", plain)))
    assert (alone.classes, len(alone.train), len(alone.held_out)) == (None, 2, 1)
    other = open_dataset(str(write(tmp_path / "z", plain | {"more/7.png": picture(7)})))
    assert other.classes == ("more", "train", "val")
    del files["train/dogs/a.png"]
    with pytest.raises(UserError, match="class dogs has images held out and none in train"):
        open_dataset(str(write(tmp_path / "w", files)))


@pytest.mark.parametrize(
    ("names", "skipped", "empty"),
    [
        (["train/cats/a.png", "test/cats/b.png"], ["train/mice/", "test/mice/"], ("mice",)),
        (["cats/a.png", "dogs/b.png"], [], ()),
        (["cats/a.png", "dogs/b.png"], ["cats/broken.png", "cover.txt"], ()),
        (["cats/a.png", "dogs/b.png"], ["birds/broken.png", "mice/"], ("birds", "mice")),
        (["zoo/cats/a.png", "zoo/dogs/b.png"], ["zoo/mice/"], ("mice",)),
        (["cats/a.png"], ["mice/"], ("mice",)),
        (["a.png", "b.png"], ["mice/"], ()),
    ],
)
def test_a_class_folder_without_an_image_is_told(names: list[str], skipped: list[str], empty: tuple[str, ...]) -> None:
    assert empty_classes(names, skipped) == empty


def test_an_empty_class_folder_is_named_though_nothing_lies_in_it(tmp_path: Path, zoo: dict[str, bytes]) -> None:
    root = write(tmp_path / "x", zoo)
    assert open_dataset(str(root)).empty_classes == ()
    (root / "zoo" / "mice").mkdir()
    data = open_dataset(str(root))
    assert data.classes == ("cats", "dogs")
    assert data.empty_classes == ("mice",)
    assert reasons(data) == {"zoo/mice/": "an empty folder"}
    with pytest.raises(UserError, match=r"class 'mice' of .* has no image that can be read: add some, or remove"):
        find_data(recipe("acgan"), str(root))
    assert find_data(recipe("dcgan-faces"), str(root)).classes == ("cats", "dogs")  # it asks for no classes


def test_a_mixed_bag_is_converted_and_what_can_not_be_is_named(tmp_path: Path, picture: Picture) -> None:
    good = {f"{index}-{mode.replace(';', '')}.png": picture(index, mode=mode) for index, mode in enumerate(MODES)}
    good["tiny.png"] = picture(50, size=(1, 1))
    good["wide.png"] = picture(51, size=(300, 2))
    good["photo.jpg"] = picture(52, mode="CMYK", format="JPEG", size=(64, 48))
    good["deep/er/animated.gif"] = picture(53, format="GIF")
    deep = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint16).reshape(16, 16) * 257).save(deep, format="PNG")
    good["16bit.png"] = deep.getvalue()
    bad = {
        "empty.png": b"",
        "cut.jpg": picture(54, format="JPEG", size=(64, 64))[:900],
        "text.png": b"I am a text",
        "labels.csv": b"1,2,3",
        "half.png": picture(55, size=(64, 64))[:3000],
    }
    root = write(tmp_path / "x", good | bad)
    os.mkfifo(root / "pipe.png")
    (root / "loop").symlink_to(root)
    for attempt in range(2):  # decoded, then from the cache
        data = open_dataset(str(root), size=16)
        assert set(reasons(data)) == {*bad, "pipe.png", "loop"}, attempt
        assert len(data.train) + len(data.held_out) == len(good)
        assert data.shape == (3, 16, 16)
    assert reasons(data)["cut.jpg"].startswith("damaged")
    assert reasons(data)["empty.png"] == "an empty file"


MODES = ("1", "L", "LA", "P", "RGB", "RGBA")


def test_grey_images_make_grey_data_unless_colour_is_asked_for(tmp_path: Path, picture: Picture) -> None:
    grey = {f"{seed}.png": picture(seed, mode="L") for seed in range(4)}
    root = write(tmp_path / "grey", grey)
    assert open_dataset(str(root)).shape == (1, 16, 16)
    assert open_dataset(str(root), channels=3).shape == (3, 16, 16)
    disguised = {name: rgb_of(data) for name, data in grey.items()}
    assert open_dataset(str(write(tmp_path / "disguised", disguised))).shape == (1, 16, 16)
    write(root, {"colour.png": picture(9)})
    assert open_dataset(str(root)).shape == (3, 16, 16)
    assert open_dataset(str(root), channels=1).shape == (1, 16, 16)


def rgb_of(data: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").save(file, format="PNG")
    return file.getvalue()


def test_the_size_is_that_of_the_median_image(tmp_path: Path, picture: Picture) -> None:
    content = {f"{index}.png": picture(index, size=(side, 80)) for index, side in enumerate((10, 40, 40, 70, 500))}
    root = str(write(tmp_path / "x", content))
    assert open_dataset(root).shape == (3, 40, 40)
    assert open_dataset(root, sizes=(28, 32, 64)).shape == (3, 32, 32)
    assert open_dataset(root, sizes=(64, 128)).shape == (3, 64, 64)
    assert open_dataset(root, size=17).shape == (3, 17, 17)


def test_a_second_opening_decodes_nothing(
    tmp_path: Path, zoo: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "x", zoo)
    first = open_dataset(str(root))

    def never(*_: object) -> None:
        raise AssertionError("it was read again")

    with monkeypatch.context() as patch:
        patch.setattr(archive, "read_files", never)
        again = open_dataset(str(root))
    assert again.fingerprint == first.fingerprint
    assert again.classes == first.classes
    assert np.array_equal(again.train.samples, first.train.samples)
    # The same content elsewhere is read once for its hash, and not decoded.
    shutil.copytree(root, tmp_path / "copy")
    with monkeypatch.context() as patch:
        patch.setattr(transforms, "decode", never)
        assert open_dataset(str(tmp_path / "copy")).fingerprint == first.fingerprint


def test_a_changed_file_is_seen(tmp_path: Path, zoo: dict[str, bytes], picture: Picture) -> None:
    root = write(tmp_path / "x", zoo)
    first = open_dataset(str(root))
    write(root, {"zoo/cats/000.png": picture(777)})
    assert open_dataset(str(root)).fingerprint != first.fingerprint


@pytest.mark.parametrize("damage", ["images.npy cut", "meta.json garbled", "labels.npy absent", "scan garbled"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, own_cache: Path, zoo: dict[str, bytes], damage: str) -> None:
    root = write(tmp_path / "x", zoo)
    first = open_dataset(str(root))
    fingerprint = first.fingerprint
    del first
    (images,) = own_cache.glob("images/*/images.npy")
    if damage == "images.npy cut":
        os.truncate(images, 5_000)
    elif damage == "meta.json garbled":
        images.with_name("meta.json").write_text('{"shape": ')
    elif damage == "labels.npy absent":
        images.with_name("labels.npy").unlink()
    else:
        (scan,) = own_cache.glob("scans/*.json")
        scan.write_text(json.dumps({"content": 3}))
    assert open_dataset(str(root)).fingerprint == fingerprint


def test_a_conversion_that_was_killed_leaves_nothing_that_counts(
    tmp_path: Path, own_cache: Path, zoo: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "x", zoo)
    with monkeypatch.context() as patch:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(convert, "_finish", stop)
        with pytest.raises(KeyboardInterrupt):
            open_dataset(str(root))
    assert not list(own_cache.glob("images/*"))[1:]  # the lock alone
    (lock,) = own_cache.glob("images/.*.lock")
    stale = lock.with_name(lock.name.removesuffix(".lock") + ".part")  # as kill -9 leaves it
    stale.mkdir()
    (stale / "raw").write_bytes(b"x" * 100)
    assert len(open_dataset(str(root)).train) > 50
    assert not stale.exists()


def test_two_processes_convert_a_folder_once(tmp_path: Path, own_cache: Path, zoo: dict[str, bytes]) -> None:
    root = write(tmp_path / "x", zoo)
    code = f"from zerosum.data import open_dataset; print(open_dataset({str(root)!r}).fingerprint)"
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=60)[0] for process in both]
    assert answers[0] == answers[1] != ""
    assert len(list(own_cache.glob("images/*/images.npy"))) == 1


def test_a_cache_that_can_not_be_written_is_one_line(
    tmp_path: Path, zoo: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "x", zoo)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="ZEROSUM_CACHE") as error:
        open_dataset(str(root))
    assert "\n" not in str(error.value)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, own_cache: Path, zoo: dict[str, bytes]) -> None:
    root = write(tmp_path / "x", zoo)
    code = (
        "import resource, signal, sys; from zerosum.data import open_dataset; from zerosum.errors import UserError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        f"try: open_dataset({str(root)!r})\n"
        "except UserError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "ZEROSUM_CACHE" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
    assert not list(own_cache.rglob("*.npy"))
    assert not list(own_cache.rglob("*.part"))


@pytest.mark.parametrize("content", [{}, {"readme.txt": b"no image"}, {"a.png": b""}])
def test_a_folder_without_an_image_is_one_line(tmp_path: Path, content: dict[str, bytes]) -> None:
    root = tmp_path / "x"
    root.mkdir()
    with pytest.raises(UserError, match="no image that can be read") as error:
        open_dataset(str(write(root, content)))
    assert "\n" not in str(error.value)
    assert f"{len(content)} files skipped" in str(error.value)


def test_images_that_have_a_header_alone_are_no_images(tmp_path: Path, picture: Picture) -> None:
    root = write(tmp_path / "x", {"a.png": picture(0, size=(64, 64))[:200]})
    with pytest.raises(UserError, match="no image that can be read"):
        open_dataset(str(root))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_images_are_data_too(tmp_path: Path, picture: Picture, count: int) -> None:
    data = open_dataset(str(write(tmp_path / "x", {f"{seed}.png": picture(seed) for seed in range(count)})))
    assert len(data.train) >= 1
    assert len(data.held_out) == min(1, count - 1) or count == 3
    assert len(data.train) + len(data.held_out) == count


def test_the_anime_faces_are_read_whole_and_once(real_data: Path) -> None:
    path = real_data / "faces" / "anime64.tar"
    data = open_dataset(f"folder:{path}", sizes=(64,))
    assert data.shape == (3, 64, 64)
    assert (data.classes, data.skipped) == (None, ())
    assert len(data.train) + len(data.held_out) == 8_560
    assert 350 < len(data.held_out) < 510  # 5% by hash, within four standard deviations
    with tarfile.open(path) as tar:
        images = {np.asarray(Image.open(io.BytesIO(data))).tobytes() for data in files_of(tar, 40)}
    everything = {row.tobytes() for split in (data.train, data.held_out) for row in split.samples}
    assert images <= everything
    start = time.monotonic()
    assert open_dataset(f"folder:{path}", sizes=(64,)).fingerprint == data.fingerprint
    assert time.monotonic() - start < 0.5


def files_of(tar: tarfile.TarFile, count: int) -> list[bytes]:
    members = [member for member in tar.getmembers() if member.isreg()][:count]
    return [file.read() for member in members if (file := tar.extractfile(member)) is not None]


def test_the_flowers_have_their_four_classes(real_data: Path) -> None:
    data = open_dataset(str(real_data / "unpaired" / "daisy2sunflower128.tar"))
    assert data.classes == ("testA", "testB", "trainA", "trainB")
    assert data.train.labels is not None
    assert data.held_out.labels is not None
    assert list(np.bincount(np.concatenate([data.train.labels, data.held_out.labels]))) == [80, 80, 662, 612]
