"""Translators used on a user's own images, and refused where they do not fit."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zerosum
from zerosum.cli import main
from zerosum.data import open_dataset
from zerosum.errors import UserError
from zerosum.sampling.tiles import bands, starts, through

pytestmark = pytest.mark.usefixtures("elsewhere")
Train = Callable[..., zerosum.Run]


def write(folder: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    folder.mkdir(parents=True)
    for number, (name, (width, height)) in enumerate(sizes.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.RandomState(number).randint(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def test_images_of_any_size_become_pngs_of_their_names(runs: dict[str, zerosum.Run], tmp_path: Path) -> None:
    images = write(tmp_path / "in", {"a.jpg": (40, 30), "deep/b.png": (33, 64)})
    (images / "notes.txt").write_text("no picture")
    done = zerosum.translate(runs["cyclegan"].path, [images], out=tmp_path / "out", direction="B2A")
    assert (done.made, done.kept, [one.name for one in done.skipped]) == (2, 0, ["notes.txt"])
    assert Image.open(tmp_path / "out" / "a.png").size == (40, 30)
    assert Image.open(tmp_path / "out" / "deep" / "b.png").size == (33, 64)
    fixed = zerosum.translate(runs["pix2pix"].path, [images / "a.jpg"], out=tmp_path / "fixed")
    assert (fixed.made, fixed.fitted, done.fitted) == (1, 1, 0)
    assert Image.open(tmp_path / "fixed" / "a.png").size == (32, 32)
    fine = zerosum.translate(runs["pix2pixhd"].path, [images / "a.jpg"], out=tmp_path / "fine")
    assert Image.open(fine.out / "a.png").size == (40, 30)
    losses = [event["losses"] for event in runs["pix2pixhd"].events() if event["event"] == "step"]
    assert set(losses[-1]) == {"D/adv", "G/adv", "G/matching"}


def test_directions_lead_to_different_domains_and_a_seed_to_the_same_picture(
    runs: dict[str, zerosum.Run], tmp_path: Path
) -> None:
    images = write(tmp_path / "in", {"a.png": (32, 32)})
    run = runs["cyclegan"].path
    pictures = {}
    for name, told in (("there", {}), ("a2b", {"direction": "A2B"}), ("b", {"domain": "B"}), ("back", {"domain": "A"})):
        zerosum.translate(run, [images], out=tmp_path / name, **told)  # type: ignore[arg-type]
        pictures[name] = np.asarray(Image.open(tmp_path / name / "a.png"))
    assert (pictures["there"] == pictures["a2b"]).all()
    assert (pictures["there"] == pictures["b"]).all()
    assert (pictures["there"] != pictures["back"]).any()
    noisy = [zerosum.translate(runs["pix2pix"].path, [images], out=tmp_path / f"n{k}", seed=k // 2) for k in range(3)]
    one, again, other = (np.asarray(Image.open(done.out / "a.png")) for done in noisy)
    assert (one == again).all()
    assert (one != other).any()


def test_a_half_finished_folder_is_gone_on_with_and_another_one_refused(
    runs: dict[str, zerosum.Run], tmp_path: Path
) -> None:
    images = write(tmp_path / "in", {f"{k}.png": (32, 32) for k in range(3)})
    run, out = runs["cyclegan"].path, tmp_path / "out"
    zerosum.translate(run, [images / "0.png"], out=out)
    before = (out / "0.png").stat().st_mtime_ns
    done = zerosum.translate(run, [images], out=out)
    assert (done.made, done.kept) == (2, 1)
    assert (out / "0.png").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="holds another translation"):
        zerosum.translate(run, [images], out=out, direction="B2A")
    other = write(tmp_path / "other", {"0.png": (32, 36)})
    with pytest.raises(UserError, match=r"0\.png was made of another image than 0\.png: remove it") as refusal:
        zerosum.translate(run, [other], out=out)
    assert "\n" not in str(refusal.value)
    whole = (out / "1.png").read_bytes()
    (out / "1.png").write_bytes(whole[: len(whole) // 2])  # as a full disk leaves it
    done = zerosum.translate(run, [images], out=out)
    assert (done.made, done.kept) == (1, 2)
    assert (out / "1.png").read_bytes() == whole
    (out / "translation.json").write_text("{")
    with pytest.raises(UserError, match="holds another translation"):
        zerosum.translate(run, [images], out=out)
    with pytest.raises(UserError, match="is there and holds other files"):
        zerosum.translate(run, [images], out=images)
    begun = tmp_path / "begun"  # as a process leaves it that was killed before it had noted what it does
    begun.mkdir()
    (begun / ".translation.123.partial.json").write_text("{")
    assert zerosum.translate(run, [images], out=begun).made == 3
    assert sorted(path.name for path in begun.iterdir()) == ["0.png", "1.png", "2.png", "translation.json"]


def test_what_can_not_be_translated_is_refused_in_one_line_and_code_two(
    runs: dict[str, zerosum.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = write(tmp_path / "in", {"a.png": (32, 32), "small.png": (5, 40)})
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.png").write_text("no picture")
    pix2pix, cyclegan = runs["pix2pix"].path, runs["cyclegan"].path
    for line, said in (
        (f"{pix2pix} {images} --direction B2A", "translates A2B alone"),
        (f"{pix2pix} {images} --domain B", "translates A2B alone"),
        (f"{cyclegan} {images} --direction sideways", "direction is 'sideways'; expected A2B or B2A"),
        (f"{cyclegan} {images} --domain C", "there is no domain 'C'"),
        (f"{cyclegan} {images} --domain B --direction A2B", "direction and domain are both given"),
        (f"{cyclegan} {tmp_path / 'text'}", "no image could be read, such as a.png"),
        (f"{cyclegan} {tmp_path / 'nowhere'}", "there is no such file"),
        (f"{cyclegan} {images / 'small.png'}", "5x40 pixels are too small: at least 8 a side"),
        (f"{pix2pix} {images / 'small.png'}", "5x40 pixels are too small: at least 8 a side"),
    ):
        assert main(["translate", *line.split(), "--out", f"out-{abs(hash(line))}"]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    done = zerosum.translate(cyclegan, [images], out=tmp_path / "out")
    assert [(one.name, one.reason) for one in done.skipped] == [
        ("small.png", "5x40 pixels are too small: at least 8 a side")
    ]


def test_a_path_that_is_not_there_and_a_folder_among_the_images_leave_nothing(
    runs: dict[str, zerosum.Run], tmp_path: Path
) -> None:
    images = write(tmp_path / "in", {"a.png": (32, 32)})
    with pytest.raises(UserError, match="there is no such file"):
        zerosum.translate(runs["cyclegan"].path, [images, tmp_path / "nowhere"], out=tmp_path / "out")
    with pytest.raises(UserError, match=r"lies inside .*in, whose images are read"):
        zerosum.translate(runs["cyclegan"].path, [images], out=images / "made")
    assert not (tmp_path / "out").exists()
    assert [one.name for one in images.iterdir()] == ["a.png"]


def test_names_keep_their_folders_spaces_and_endings_apart(runs: dict[str, zerosum.Run], tmp_path: Path) -> None:
    odd = "Screenshot 9.41\u202fPM.png"  # as a Mac names it
    images = write(tmp_path / "in", {odd: (8, 8), "photos.v1/one.png": (8, 8), "a.jpg": (8, 8), "a.png": (8, 9)})
    (images / "photos.v1" / "one.png").rename(images / "photos.v1" / "one")
    for _ in range(2):
        done = zerosum.translate(runs["cyclegan"].path, [images], out=tmp_path / "out")
        assert (done.made + done.kept, done.skipped) == (4, [])
        made = {path.relative_to(done.out).as_posix() for path in done.out.rglob("*.png")}
        assert made == {odd, "photos.v1/one.png", "a.png", "a.png.png"}
    assert Image.open(tmp_path / "out" / "a.png.png").size == (8, 9)
    twice = [write(tmp_path / name, {"one.png": (8, 8)}) / "one.png" for name in ("x", "y")]
    with pytest.raises(UserError, match=r"one\.png and one\.png would become one file"):
        zerosum.translate(runs["cyclegan"].path, twice, out=tmp_path / "twice")


def test_an_archive_is_known_by_how_it_begins(runs: dict[str, zerosum.Run], tmp_path: Path) -> None:
    images = write(tmp_path / "in", {"a.png": (8, 8)})
    with tarfile.open(tmp_path / "photos.tbz2", "w:bz2") as archive:
        archive.add(images / "a.png", "a.png")
    done = zerosum.translate(runs["cyclegan"].path, [tmp_path / "photos.tbz2"], out=tmp_path / "out")
    assert (done.made, done.skipped) == (1, [])


def test_a_folder_made_by_other_weights_is_not_gone_on_with(
    runs: dict[str, zerosum.Run], tmp_path: Path, trained: Train, settings: dict[str, tuple[str, dict[str, object]]]
) -> None:
    images = write(tmp_path / "in", {"a.png": (8, 8)})
    data, told = settings["cyclegan"]
    again = trained("cyclegan", data, tmp_path / "again" / runs["cyclegan"].path.name, seed=1, **told)
    zerosum.translate(runs["cyclegan"].path, [images], out=tmp_path / "out")
    with pytest.raises(UserError, match="holds another translation"):
        zerosum.translate(again.path, [images], out=tmp_path / "out")


def test_runs_that_translate_do_not_draw_and_runs_that_draw_do_not_translate(
    runs: dict[str, zerosum.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", str(runs["pix2pix"].path)]) == 2
    assert "translates images: `zerosum translate RUN IMAGES`" in capsys.readouterr().err
    drawing = zerosum.train("quick", steps=1, out=tmp_path / "drawing", settings={"width": 4})
    assert isinstance(drawing, zerosum.Run)
    with pytest.raises(UserError, match="draws from noise: `zerosum sample RUN`"):
        zerosum.translate(drawing.path, [write(tmp_path / "in", {"a.png": (32, 32)})], out=tmp_path / "out")


def test_data_that_do_not_fit_a_translator_are_refused(capsys: pytest.CaptureFixture[str], real_data: Path) -> None:
    streets = f"pairs:{real_data / 'pairs' / 'camvid128.tar'}"
    for line, said in (
        ("pix2pix --data digits --size 32", "learns from pairs, and digits has none: name --data pairs:PATH"),
        (f"cyclegan --data {streets} --size 32", "needs classes"),
        ("cyclegan --data digits --size 32", "for two domains, and the data have 10 classes"),
        ("srgan --data digits --size 32 --set jitter=1.1", "leave jitter at 1"),
        (f"srgan --data {streets} --size 32", "enlarges 2, 4 or 8 times, which 32 to 32 pixels is not"),
        ("pix2pix", "pix2pix has no data of its own"),
        (
            "pix2pix --data upscale:digits --size 32",
            "learns from pairs of one size, and upscale:digits has 8x8 beside 32",
        ),
        ("srgan --data digits --size 32 --set direction=B2A", "leads from A to B alone: leave direction out"),
        ("pg2 --data digits", "learns from pairs, and digits has none: name --data poses:PATH"),
        (f"tp-gan --data {streets} --size 64", "tp-gan needs classes"),
        (f"pg2 --data {streets} --size 32", "given a pose beside the image: name --data poses:PATH"),
    ):
        assert main(["train", *line.split(), "--steps", "1", "--out", "refused"]) == 2
        assert said in capsys.readouterr().err
        assert not Path("refused").exists()


def test_an_enlarging_run_makes_images_of_any_size_four_times_as_large(
    trained: Train, runs: dict[str, zerosum.Run], tmp_path: Path
) -> None:
    images = write(tmp_path / "in", {"a.png": (30, 21)})
    zerosum.translate(runs["srgan"].path, [images], out=tmp_path / "out")
    zerosum.upscale(runs["srgan"].path, [images], out=tmp_path / "same")
    same = (tmp_path / name / "a.png" for name in ("out", "same"))
    assert len({path.read_bytes() for path in same}) == 1
    with pytest.raises(UserError, match="does not enlarge"):
        zerosum.upscale(runs["pix2pix"].path, [images], out=tmp_path / "no")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file: name a folder"):
        zerosum.upscale(runs["srgan"].path, [images], out=tmp_path / "file")
    assert Image.open(tmp_path / "out" / "a.png").size == (120, 84)
    assert runs["srgan"].info["recipe"]["data"] == "upscale:digits"  # as it was named, and
    named = trained("srgan", "digits", tmp_path / "named", steps=1, blocks=1, units=8)
    assert named.info["recipe"]["data"] == "upscale:digits"  # as it was meant
    x = torch.rand(1, 1, 50, 40)
    enlarge = torch.nn.Upsample(scale_factor=2, mode="nearest")
    made = through(enlarge, x, granularity=1, factor=2, tile=16, overlap=8)
    torch.testing.assert_close(made, enlarge(x))


def test_poses_are_translated_from_a_folder_of_their_layout(
    runs: dict[str, zerosum.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, folder = runs["pg2"], tmp_path / "wanted"
    folder.mkdir()
    pixels = open_dataset("digits").held_out.samples[0, :, :, 0]
    Image.fromarray(pixels).save(folder / "mine.png")
    (folder / "pairs.csv").write_text("from,to\nmine.png,low.png\nmine.png,high.png\n")
    points = "name:keypoints_y:keypoints_x\n" + "".join(
        f"{name}.png:{[row] * 6}:[4, 8, 12, 16, 20, 24]\n" for name, row in (("low", 24), ("high", 4))
    )
    (folder / "keypoints.csv").write_text(points)
    done = zerosum.translate(run.path, [folder], out=tmp_path / "out")
    assert done.made == 2
    low, high = (np.asarray(Image.open(tmp_path / "out" / f"mine-as-{name}.png")) for name in ("low", "high"))
    assert low.shape == (32, 32)
    assert (low != high).any()
    assert zerosum.translate(run.path, [folder], out=tmp_path / "out").kept == 2
    (folder / "keypoints.csv").write_text(
        points.replace("[4, 8, 12, 16, 20, 24]", "[4]")
        .replace("[24, 24, 24, 24, 24, 24]", "[4]")
        .replace("[4, 4, 4, 4, 4, 4]", "[4]")
    )
    images = write(tmp_path / "in", {"a.png": (32, 32)})
    for line, said in (
        (f"{folder} --out other", "has 2 maps beside an image; this run was given 7"),
        (f"{images} --out other2", "has no poses: expected images, a CSV that begins with from,to"),
    ):
        assert main(["translate", str(run.path), *line.split()]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1


def test_faces_from_the_side_are_learned_from_judged_and_translated(
    differences: Callable[[Path, Path], list[str]], trained: Train, tmp_path: Path, real_data: Path
) -> None:
    with tarfile.open(real_data / "faces" / "anime64.tar") as archive:
        members = [member for member in archive.getmembers() if member.isfile()][:60]
        faces = [np.asarray(Image.open(archive.extractfile(member)).convert("RGB")) for member in members]  # type: ignore[arg-type]
    folder = tmp_path / "faces"
    folder.mkdir()
    for number, face in enumerate(faces):
        for view, pixels in (("frontal", face), ("side", np.where(np.arange(64)[:, None] < 32, face // 4, face))):
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:03}_{view}.png")
            (folder / f"{number:03}_{view}.5pt").write_text("21 38\n43 38\n32 46\n28 52\n36 52\n")
    told = {"size": 64, "batch": 4, "width": 4, "noise": 8}
    data = f"profiles:{folder}"
    whole = trained("tp-gan", data, tmp_path / "whole", steps=4, content=0.0, **told)
    losses = [event["losses"] for event in whole.events() if event["event"] == "step"][-1]
    assert set(losses) == {"D/adv", "G/adv", "G/l1", "G/symmetry", "G/tv", "G/identity"}
    part = trained("tp-gan", data, tmp_path / "part", steps=2, content=0.0, **told)
    zerosum.resume(part.path, steps=2)
    assert differences(part.path, whole.path) == []
    done = zerosum.translate(whole.path, [folder], out=tmp_path / "out")
    assert done.made == 120
    assert Image.open(tmp_path / "out" / "007_side.png").size == (64, 64)
    judged = zerosum.evaluate(whole.path, n=10, metrics=("l1", "ssim"))
    assert [figure.name for figure in judged.figures] == ["l1", "ssim"]
    with pytest.raises(UserError, match=r"a\.png has no landmarks; expected beside it a\.5pt"):
        zerosum.translate(whole.path, [write(tmp_path / "in", {"a.png": (64, 64)})], out=tmp_path / "refused")


@pytest.mark.parametrize(("name", "factor"), [("cyclegan", 1), ("discogan", 1), ("pix2pixhd", 1), ("srgan", 4)])
def test_a_large_image_goes_in_tiles_and_hardly_differs(
    name: str, factor: int, runs: dict[str, zerosum.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "in"
    images.mkdir()
    y, x = np.mgrid[:150, :210]
    waves = [128 + 100 * np.sin(x / 19 + phase) * np.cos(y / 23) for phase in range(3)]
    Image.fromarray(np.stack(waves, axis=2).astype(np.uint8)).save(images / "a.png")
    whole = zerosum.translate(runs[name].path, [images], out=tmp_path / "whole")
    monkeypatch.setattr("zerosum.api.translating.TILE", 128)
    tiled = zerosum.translate(runs[name].path, [images], out=tmp_path / "tiled")
    one, other = (np.asarray(Image.open(done.out / "a.png")).astype(int) for done in (whole, tiled))
    assert one.shape[:2] == other.shape[:2] == (factor * 150, factor * 210)
    assert (one != other).any()
    assert np.abs(one - other).mean() < 8  # levels of 256


def test_tiles_are_blended_to_what_the_whole_image_gives() -> None:
    blur = torch.nn.Conv2d(1, 1, 5, padding=2, bias=False)
    torch.nn.init.constant_(blur.weight, 1 / 25)
    x = torch.rand(1, 1, 70, 101)
    with torch.no_grad():
        whole, tiled = through(blur, x, granularity=1, tile=512), through(blur, x, granularity=1, tile=32, overlap=16)
        filled = through(blur, x, granularity=8, tile=32, overlap=16)
    # Where tiles meet each has lost two pixels at its own end, where its weight is at most 2 of 16.
    torch.testing.assert_close(tiled[..., 3:-3, 3:-3], whole[..., 3:-3, 3:-3], atol=0.5 * 0.4 * 2 / 16 * 3, rtol=0)
    assert whole.shape == tiled.shape == filled.shape == x.shape
    flat = through(lambda part: torch.ones_like(part), x, granularity=1, tile=32, overlap=16)
    torch.testing.assert_close(flat, torch.ones_like(x))


def test_an_image_comes_in_bands_that_are_complete() -> None:
    """Each band is told as soon as no later tile reaches it, so that two rows of tiles are the most that is kept."""
    x = torch.rand(1, 2, 100, 40)
    found = list(bands(lambda part: part.repeat(1, 1, 2, 2), x, granularity=1, factor=2, tile=32, overlap=8))
    assert [band.shape[2] for band in found] == [48, 48, 40, 64]  # tiles begin at 0, 24, 48 and 68
    assert sum(band.shape[2] for band in found) == 200
    mean = through(
        lambda part: part.mean(dim=(2, 3), keepdim=True).expand_as(part), x, granularity=1, tile=32, overlap=8
    )
    hill = torch.minimum(torch.arange(32) + 1.0, torch.arange(32, 0, -1.0)).clamp_max(8) / 8
    weights = hill[:, None] * hill
    whole, weight = torch.zeros(1, 2, 100, 40), torch.zeros(100, 40)
    for top in (0, 24, 48, 68):
        for left in (0, 8):
            place = (..., slice(top, top + 32), slice(left, left + 32))
            whole[place] += weights * x[place].mean(dim=(2, 3), keepdim=True)
            weight[place] += weights
    torch.testing.assert_close(mean, whole / weight)


def test_tiles_cover_every_side() -> None:
    for length in (1, 31, 32, 33, 64, 100, 1000):
        places = starts(length, 32, 8)
        covered = {pixel for start in places for pixel in range(start, start + 32)}
        assert set(range(length)) <= covered
        assert max(places) + 32 <= max(length, 32)
        assert all(b - a <= 24 for a, b in pairwise(places))
