"""The sources that are not folders: digits, MNIST and its relative, and the points."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.data import open_dataset
from zerosum.data.dataset import hold_out
from zerosum.data.idx import parse_idx, to_idx
from zerosum.data.sources import SOURCES, Request, digits, mnist
from zerosum.data.sources.toy import MODES
from zerosum.errors import UserError


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_digits_are_the_first_10000_of_mnist(real_data: Path) -> None:
    ours = open_dataset("digits")
    images = gzip.decompress((real_data / "mnist" / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((real_data / "mnist" / "train-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = np.frombuffer(images, np.uint8)[: 10_000 * 784].reshape(10_000, 28, 28, 1)
    assert np.array_equal(np.concatenate([ours.train.samples, ours.held_out.samples]), pixels)
    numbers = np.frombuffer(labels, np.uint8)[:10_000]
    assert np.array_equal(np.concatenate([ours.train.labels, ours.held_out.labels]), numbers)


def test_digits_hold_out_the_last_1000_and_need_no_file_of_the_user() -> None:
    ours = open_dataset("digits")
    assert (len(ours.train), len(ours.held_out), ours.shape) == (9_000, 1_000, (1, 28, 28))
    assert ours.classes == tuple("0123456789")
    assert list(ours.train.labels[:10]) == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]  # as every MNIST tutorial prints
    assert ours.train.labels.dtype == np.int64


def test_the_notice_has_the_checksums_of_what_is_embedded() -> None:
    notice = (digits.FOLDER / "NOTICE").read_text()
    assert "CC BY-SA 3.0" in notice or "Attribution-ShareAlike 3.0" in notice
    for name in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        found = hashlib.sha256(gzip.decompress((digits.FOLDER / f"{name}.gz").read_bytes())).hexdigest()
        assert re.search(rf"{name}\s+SHA-256 {found}", notice)


def test_make_digits_makes_what_is_embedded(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Path(__file__).resolve().parents[2] / "tools" / "make_digits.py"
    namespace: dict[str, object] = {"__name__": "make_digits", "__file__": str(script)}
    exec(compile(script.read_text(), script, "exec"), namespace)
    namespace["TARGET"] = tmp_path
    namespace["main"](real_data / "mnist")  # type: ignore[operator]
    for file in digits.FOLDER.iterdir():
        made, kept = (tmp_path / file.name).read_bytes(), file.read_bytes()
        if file.suffix == ".gz":
            made, kept = gzip.decompress(made), gzip.decompress(kept)
        assert made == kept


def test_data_opens_without_torch() -> None:
    code = (
        "import sys; from zerosum.data import open_dataset, show; open_dataset('digits'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_digits_come_in_other_sizes_and_in_colour() -> None:
    grey = open_dataset("digits")
    other = open_dataset("digits", size=32, channels=3)
    assert other.shape == (3, 32, 32)
    assert np.array_equal(other.train.samples[..., 0], other.train.samples[..., 2])
    expected = Image.fromarray(grey.train.samples[7, ..., 0]).resize((32, 32), Image.Resampling.LANCZOS)
    assert np.array_equal(other.train.samples[7, ..., 1], np.asarray(expected))
    assert other.fingerprint != grey.fingerprint


def test_the_largest_size_that_the_data_has_is_taken() -> None:
    assert open_dataset("digits", sizes=(16, 28, 32)).shape == (1, 28, 28)
    assert open_dataset("digits", sizes=(16, 20)).shape == (1, 20, 20)
    assert open_dataset("digits", sizes=(64, 32)).shape == (1, 32, 32)


def test_mnist_is_read_from_zerosum_data(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROSUM_DATA", str(real_data))
    data = open_dataset("mnist", fallback=True)
    assert (len(data.train), len(data.held_out), data.note) == (60_000, 10_000, None)
    assert list(np.bincount(data.train.labels)[:3]) == [5923, 6742, 5958]  # as published
    assert data.held_out.labels[0] == 7


def test_fashion_mnist_has_its_classes_by_name(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROSUM_DATA", str(real_data))
    data = open_dataset("fashion-mnist")
    assert data.classes is not None
    assert data.classes[9] == "Ankle boot"
    assert list(np.bincount(data.train.labels)) == [6_000] * 10
    assert data.classes[data.train.labels[0]] == "Ankle boot"  # its first picture


def test_idx_files_may_lie_uncompressed(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in mnist.FILES:
        folder.joinpath(name).write_bytes(gzip.decompress((real_data / "mnist" / f"{name}.gz").read_bytes()))
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    assert len(open_dataset("mnist").train) == 60_000


def test_a_damaged_file_of_the_user_is_named(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(real_data / "mnist", tmp_path / "mnist")
    victim = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    data = bytearray(gzip.decompress(victim.read_bytes()))
    data[100] ^= 1
    victim.chmod(0o600)
    victim.write_bytes(gzip.compress(data))
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    with pytest.raises(UserError) as error:
        open_dataset("mnist")
    assert "t10k-labels-idx1-ubyte.gz" in one_line(error)
    assert "MD5" in str(error.value)
    victim.write_bytes(victim.read_bytes()[:500])
    with pytest.raises(UserError, match="ends early"):
        open_dataset("mnist")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mnist.Published:
    """A published set of 6 + 4 images of 5x5, on a mirror that is a folder."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    random = np.random.RandomState(0)
    shapes: list[tuple[int, ...]] = [(6, 5, 5), (6,), (4, 5, 5), (4,)]
    sums = []
    for name, shape in zip(mnist.FILES, shapes, strict=True):
        data = to_idx(random.randint(0, 10, shape, dtype=np.uint8))
        sums.append(hashlib.md5(data).hexdigest())
        (mirror / f"{name}.gz").write_bytes(gzip.compress(data))
    published = replace(mnist.MNIST, md5=tuple(sums), mirrors=(f"{mirror.as_uri()}/",))
    monkeypatch.setattr(mnist, "MNIST", published)
    return published


def test_a_download_is_checked_kept_and_not_repeated(tiny: mnist.Published, tmp_path: Path, own_cache: Path) -> None:
    data = mnist._open(tiny, Request(source="mnist"))
    assert (len(data.train), len(data.held_out), data.shape) == (6, 4, (1, 5, 5))
    assert sorted(file.name for file in (own_cache / "mnist").iterdir()) == sorted(f"{n}.gz" for n in mnist.FILES)
    shutil.rmtree(tmp_path / "mirror")
    assert mnist._open(tiny, Request(source="mnist")).fingerprint == data.fingerprint


def test_a_wrong_download_is_not_kept_and_the_next_mirror_is_asked(tiny: mnist.Published, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    shutil.copytree(tmp_path / "mirror", wrong)
    (wrong / f"{mnist.FILES[0]}.gz").write_bytes(b"<html>not found</html>")
    both = replace(tiny, mirrors=(f"{wrong.as_uri()}/", *tiny.mirrors))
    assert len(mnist._open(both, Request(source="mnist")).train) == 6
    alone = replace(tiny, name="other", mirrors=(f"{wrong.as_uri()}/",))
    with pytest.raises(UserError) as error:
        mnist._open(alone, Request(source="other"))
    assert "MD5" in one_line(error)
    assert not list(tmp_path.rglob("own-cache/other/*"))


def test_a_damaged_copy_in_the_cache_is_fetched_anew(tiny: mnist.Published, own_cache: Path) -> None:
    first = mnist._open(tiny, Request(source="mnist"))
    (own_cache / "mnist" / f"{mnist.FILES[0]}.gz").write_bytes(b"\x1f\x8bdamaged")
    assert mnist._open(tiny, Request(source="mnist")).fingerprint == first.fingerprint


def test_a_download_is_bounded(tiny: mnist.Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MAX_BYTES", 1_000_000)
    bomb = gzip.compress(bytes(5_000_000))
    (tmp_path / "mirror" / f"{mnist.FILES[0]}.gz").write_bytes(bomb)
    with pytest.raises(UserError, match="larger than it should be"):
        mnist._open(tiny, Request(source="mnist"))


def test_without_mnist_its_absence_is_one_line_or_digits_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = replace(mnist.MNIST, mirrors=("http://127.0.0.1:9/",))
    monkeypatch.setattr(mnist, "MNIST", nowhere)
    with pytest.raises(UserError) as error:
        mnist._open(nowhere, Request(source="mnist"))
    assert "ZEROSUM_DATA" in one_line(error)
    data = mnist._open(nowhere, Request(source="mnist", fallback=True, size=32))
    assert (data.name, len(data.train), data.shape) == ("digits", 9_000, (1, 32, 32))
    assert data.note is not None
    assert "digits" in data.note
    clothes = replace(mnist.FASHION, mirrors=("http://127.0.0.1:9/",))
    with pytest.raises(UserError, match="fashion-mnist is neither"):
        mnist._open(clothes, Request(source="fashion-mnist", fallback=True))


def test_a_server_that_never_answers_does_not_delay_the_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = replace(mnist.MNIST, mirrors=(f"http://127.0.0.1:{server.getsockname()[1]}/",))
        monkeypatch.setattr(mnist, "MNIST", silent)
        monkeypatch.setattr(mnist, "PROBE_SECONDS", 0.5)
        start = time.monotonic()
        data = mnist._open(silent, Request(source="mnist", fallback=True))
    assert data.name == "digits"
    assert time.monotonic() - start < 5
    assert threading.active_count() < 10


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\0\x08", b"\0\0\x09\x01\0\0\0\0", b"\0\0\x08\x01\0\0\0\x05abc", b"\x89PNG\r\n", b"\0\0\x08\x03\0\0"],
)
def test_what_is_no_idx_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="IDX"):
        parse_idx(data)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("digts", "did you mean digits?"),
        ("fashion_mnist", "did you mean fashion-mnist?"),
        ("zzz", "known: ages, captions, celeba, digits, domains, fashion-mnist, folder"),
        ("", "known: ages, captions, celeba, digits"),
        ("digits:3", "takes nothing after its name"),
        ("folder:", "folder:PATH"),
        ("folder", "folder:PATH"),
        ("./nowhere", "there is no such file"),
        ("faces.tar", "there is no such file"),
        ("folder:/no/such/place", "there is no such file"),
        ("folder:a\0b", "can't open"),
        ("folder:" + "x" * 5000, "can't open"),
    ],
)
def test_a_wrong_source_is_one_line_with_what_to_do(source: str, expected: str) -> None:
    with pytest.raises(UserError) as error:
        open_dataset(source)
    assert expected in one_line(error)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": -3}, {"size": 5000}, {"sizes": (0,)}, {"channels": 2}])
def test_an_impossible_size_or_number_of_channels_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match="expected 1"):
        open_dataset("digits", **wrong)  # type: ignore[arg-type]


def test_every_source_has_a_title_and_an_opener() -> None:
    assert {"digits", "mnist", "fashion-mnist", "folder", "ring", "grid"} <= set(SOURCES)
    for name in SOURCES:
        assert SOURCES[name].title
        assert callable(SOURCES[name].open)


@pytest.mark.parametrize(("name", "count", "sigma"), [("ring", 8, 0.01), ("grid", 25, 0.05)])
def test_points_lie_evenly_around_their_modes(name: str, count: int, sigma: float) -> None:
    data = open_dataset(name)
    points = np.concatenate([data.train.samples, data.held_out.samples])
    assert (points.shape, points.dtype, len(data.held_out)) == ((100_000, 2), np.float32, 10_000)
    assert (data.kind, data.shape, data.classes) == ("points", (2,), None)
    centres = MODES[name].centres
    assert centres.shape == (count, 2)
    offsets = points[:, None] - centres
    nearest = (offsets**2).sum(-1).argmin(1)
    shares = np.bincount(nearest, minlength=count) / 100_000
    assert np.allclose(shares, 1 / count, atol=5 * np.sqrt(1 / count / 100_000))
    residues = offsets[np.arange(100_000), nearest]
    assert residues.std() == pytest.approx(sigma, rel=0.01)
    assert np.abs(residues.mean(0)).max() < 5 * sigma / np.sqrt(100_000)


def test_ring_and_grid_are_where_the_papers_put_them() -> None:
    assert np.allclose(np.hypot(*MODES["ring"].centres.T), 1)
    assert {tuple(row) for row in MODES["grid"].centres.tolist()} == {
        (x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)
    }


def test_points_are_the_same_on_every_machine() -> None:
    # The stream of RandomState is frozen; log and cos may differ in the last bit, so six digits are compared.
    assert np.allclose(open_dataset("ring").train.samples[0], [-1.0046222, -0.0007727], atol=1e-6)


def digests(count: int, salt: str = "") -> list[bytes]:
    return [hashlib.sha256(f"{salt}{index}".encode()).digest() for index in range(count)]


def test_held_out_depends_on_an_images_content_alone() -> None:
    many = digests(5_000)
    held = {digest for digest, out in zip(many, hold_out(many), strict=True) if out}
    assert 200 < len(held) < 300  # 5%, give or take
    order = np.random.RandomState(0).permutation(5_000)
    shuffled = [many[index] for index in order]
    assert {digest for digest, out in zip(shuffled, hold_out(shuffled), strict=True) if out} == held
    half = many[:2_500]
    assert {digest for digest, out in zip(half, hold_out(half), strict=True) if out} == held & set(half)


def test_held_out_is_at_most_1000() -> None:
    assert hold_out(digests(30_000)).sum() == 1_000


@pytest.mark.parametrize("count", range(1, 12))
def test_a_small_set_keeps_an_image_on_each_side(count: int) -> None:
    for salt in "abcdefgh":
        held = hold_out(digests(count, salt))
        assert held.sum() < count
        assert held.any() == (count > 1)


def test_equal_images_are_never_split() -> None:
    twins = [digest for digest in digests(400) for _ in range(2)]
    held = hold_out(twins)
    assert np.array_equal(held[::2], held[1::2])
    assert not hold_out([b"x" * 32] * 5).any()


def test_every_class_keeps_an_image_to_train_on() -> None:
    for salt in "abcdefgh":
        many = digests(60, salt)
        labels = [index % 30 for index in range(60)]
        held = hold_out(many, labels)
        assert {label for label, out in zip(labels, held, strict=True) if not out} == set(range(30))
