"""Translators trained on real pairs and sets, gone on with exactly, and used on a user's own images."""

from __future__ import annotations

import json
import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zerosum
from zerosum.cli import main
from zerosum.data import Dataset, open_dataset
from zerosum.engine.checkpoint import read
from zerosum.errors import UserError
from zerosum.sampling.tiles import starts, through

SMALL = {"width": 4, "size": 32, "batch": 4, "grid": 4, "exam_images": 8}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


TWO_PARTS = [
    {"steps": 3, "changes": {}, "gradually": {}},
    {"steps": 3, "changes": {"part": 2, "adversarial": 1.0, "l1": 10.0}, "gradually": {}},
]


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


def trained(recipe: str, data: str, out: Path, steps: int = 6, **settings: object) -> zerosum.Run:
    length = {} if "stages" in settings else {"steps": steps}
    run = zerosum.train(recipe, data, **length, out=out, settings={"stages": [], **SMALL, **settings})  # type: ignore[arg-type]
    assert isinstance(run, zerosum.Run)
    return run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> dict[str, zerosum.Run]:
    """A run of each kind, six steps long."""
    root = tmp_path_factory.mktemp("translators")
    streets = f"pairs:{real_data / 'pairs' / 'camvid128.tar'}"
    flowers = f"unpaired:{real_data / 'unpaired' / 'daisy2sunflower128.tar'}"
    return {
        "pix2pix": trained("pix2pix", streets, root / "pix2pix"),
        "cyclegan": trained("cyclegan", flowers, root / "cyclegan", blocks=1, pool=3),
        "discogan": trained("discogan", flowers, root / "discogan"),
        "stargan": trained("stargan", flowers, root / "stargan", blocks=1),
        "pix2pixhd": trained(
            "pix2pixhd",
            streets,
            root / "pix2pixhd",
            **{"size": 64, "G.halvings": 2, "blocks": 1, "D.layers": 2, "scales": 2, "local_blocks": 1},
            stages=[
                {"steps": 3, "changes": {}, "gradually": {}},
                {"steps": 3, "changes": {"coarse": 0}, "gradually": {"lr": 0.0}},
            ],
        ),
        "srgan": trained("srgan", "upscale:digits", root / "srgan", blocks=1, units=8),
        "pg2": trained("pg2", f"poses:{write_poses(root / 'posed')}", root / "pg2", z_dim=8, stages=TWO_PARTS),
    }


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "stargan"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(name: str, runs: dict[str, zerosum.Run], tmp_path: Path) -> None:
    whole = runs[name]
    told = whole.info["recipe"]
    settings = {"pix2pix": {}, "cyclegan": {"blocks": 1, "pool": 3}, "stargan": {"blocks": 1}}[name]
    part = trained(name, told["data"], tmp_path / "part", steps=2, **settings)
    zerosum.resume(part.path, steps=4)
    mine, theirs = (read(run.path / "checkpoints" / "last") for run in (part, whole))
    for group in ("weights", "optimizers", "game"):
        one, other = dict(leaves(mine[group])), dict(leaves(theirs[group]))
        assert one.keys() == other.keys()
        assert [path for path, value in one.items() if not torch.equal(value, other[path])] == []


def leaves(tree: object, path: str = "") -> list[tuple[str, torch.Tensor]]:
    if isinstance(tree, torch.Tensor):
        return [(path, tree)]
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [leaf for key, value in items for leaf in leaves(value, f"{path}/{key}")]


def test_a_run_has_grids_scores_and_ds_word_on_held_out_images(runs: dict[str, zerosum.Run]) -> None:
    for name, score, columns in (("pix2pix", "l1", 6), ("cyclegan", "swd", 4), ("discogan", "swd", 4)):
        run = runs[name]
        events = list(run.events())
        scores = [event for event in events if event["event"] == "score"]
        assert scores
        assert {event["name"] for event in scores} == {score}
        assert all(0 < event["value"] < (1 if score == "l1" else 1e5) for event in scores)
        assert any(event["event"] == "held_out" for event in events)
        picture = Image.open(next(run.path.glob("samples/*.png")))
        assert picture.width == 2 + columns * (64 + 2)  # 32 pixels, enlarged twice
        assert not [event for event in events if event["event"] == "warning" and "left out" not in event["message"]]


def test_a_run_is_examined_and_asked_what_its_game_can_answer(runs: dict[str, zerosum.Run]) -> None:
    cycles = ["apart", "arrived", "asked", "change", "cycle", "fragile"]
    asked = {"pix2pix": ["condition"], "srgan": [], "cyclegan": cycles, "stargan": cycles}
    for name, probes in asked.items():
        exams = [event for event in runs[name].events() if event["event"] == "exam"]
        assert [event["step"] for event in exams] == [2, 4, 6]
        assert all(sorted(event["probes"]) == probes for event in exams)
        assert all(event["spread"] > 0 for event in exams)
        assert exams[0]["probes"] != exams[-1]["probes"] or not probes


def test_the_score_of_pairs_is_the_mean_error_to_the_held_out_partners(runs: dict[str, zerosum.Run]) -> None:
    from zerosum.api.tasks import TaskScorer, spread
    from zerosum.data import open_dataset
    from zerosum.types import Domain

    data = open_dataset(runs["pix2pix"].info["recipe"]["data"], size=32)

    class Same(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
            return x

    domain = Domain(shape=(3, 32, 32), source=(3, 32, 32))
    found = TaskScorer(domain, data).score(Same())
    split = data.held_out
    assert split.partners is not None
    rows = spread(len(split), 200)
    expected = np.abs(split.samples[rows].astype(float) - split.partners[rows]).mean() / 255
    assert found["value"] == pytest.approx(expected, rel=1e-4)

    class Grey(Same):
        def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
            return torch.zeros_like(x)

    # Beside the label maps grey squares are nearer than the photos, one by one, and farther away as a set.
    l1, swd = (TaskScorer(domain, data, best) for best in ("auto", "swd"))
    assert [l1.score(Same())["name"], swd.score(Same())["name"]] == ["l1", "swd"]
    assert l1.score(Grey())["value"] < l1.score(Same())["value"]
    assert swd.score(Grey())["value"] > swd.score(Same())["value"]


def test_pairs_are_judged_beside_their_partners_and_domains_there_and_back(runs: dict[str, zerosum.Run]) -> None:
    pairs = zerosum.evaluate(runs["pix2pix"].path, n=40, metrics=("l1", "psnr", "ssim", "labels"))
    assert [figure.name for figure in pairs.figures] == [
        *("l1", "psnr", "ssim", "pixel-accuracy", "class-accuracy", "iou"),
    ]
    assert (pairs.protocol.samples, pairs.protocol.split) == (40, "held-out")
    assert 0 < pairs["l1"] < 1
    assert 5 < pairs["psnr"] < 30
    told = zerosum.evaluate(runs["pix2pix"].path, n=40, metrics=("perceptual",), network="digits-net")
    assert [figure.name for figure in told.figures] == ["perceptual"]
    assert 0 < told["perceptual"] < 2 * 5  # unit vectors lie at most 2 apart (positive ones), in five layers
    assert (told.protocol.network, len(told.protocol.checksum or "")) == ("digits-net", 64)
    assert pairs.protocol.network is None
    large = zerosum.evaluate(
        runs["srgan"].path, n=40, metrics=("psnr", "perceptual", "swd", "fid"), network="digits-net"
    )
    names = ["psnr", "perceptual", "swd", "fid"]
    assert [figure.name for figure in large.figures] == [*names, *(f"bicubic-{name}" for name in names)]
    assert all(large[f"bicubic-{name}"] < large[name] for name in names[1:])
    large = zerosum.evaluate(runs["srgan"].path, n=40, metrics=("psnr",))
    assert [figure.name for figure in large.figures] == ["psnr", "bicubic-psnr"]
    assert large["bicubic-psnr"] > large["psnr"]  # after six steps
    sets = zerosum.evaluate(runs["cyclegan"].path, n=40)
    assert [figure.name for figure in sets.figures] == ["cycle", "swd-A", "swd-B"]
    assert all(figure.value > 0 for figure in sets.figures)
    with pytest.raises(UserError, match="no metric 'kid' of a translation"):
        zerosum.evaluate(runs["cyclegan"].path, metrics=("kid",))
    with pytest.raises(UserError, match="no metric 'psnr'"):
        zerosum.evaluate(write(Path("some"), {f"{k}.png": (28, 28) for k in range(3)}), "digits", metrics=("psnr",))


def test_domains_are_judged_by_one_network_of_the_whole_data_and_halves_by_their_own(
    runs: dict[str, zerosum.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from zerosum.api import translations
    from zerosum.api.assemble import find_data
    from zerosum.metrics.features import FEATURES
    from zerosum.recipes import recipe

    asked: list[tuple[int, str]] = []

    def extractor(dataset: Dataset, network: str | None, **told: object) -> object:
        asked.append((len(dataset.train), dataset.fingerprint))
        return FEATURES["digits-net"](dataset, None)

    monkeypatch.setattr(translations, "extractor_for", extractor)
    judged = zerosum.evaluate(runs["cyclegan"].path, n=200, metrics=("fid",))
    assert [figure.name for figure in judged.figures] == ["fid-A", "fid-B"]
    assert asked == [(1274, runs["cyclegan"].info["data"]["fingerprint"])]
    source = runs["pix2pix"].info["recipe"]["data"]
    there, back = (
        find_data(recipe("pix2pix").override({"size": 32, "direction": way}), source).fingerprint
        for way in ("A2B", "B2A")
    )
    assert there != back  # what is learned of the one is not taken for the other


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
    assert fixed.made == 1
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
    with pytest.raises(UserError, match="is there and holds other files"):
        zerosum.translate(run, [images], out=images)


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
    ):
        assert main(["translate", *line.split(), "--out", f"out-{abs(hash(line))}"]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    done = zerosum.translate(cyclegan, [images], out=tmp_path / "out")
    assert [(one.name, one.reason) for one in done.skipped] == [
        ("small.png", "5x40 pixels are too small: at least 8 a side")
    ]


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
        ("pg2 --data digits", "learns from pairs, and digits has none: name --data poses:PATH"),
        (f"tp-gan --data {streets} --size 64", "tp-gan needs classes"),
        (f"pg2 --data {streets} --size 32", "given a pose beside the image: name --data poses:PATH"),
    ):
        assert main(["train", *line.split(), "--steps", "1", "--out", "refused"]) == 2
        assert said in capsys.readouterr().err
        assert not Path("refused").exists()


def test_the_other_direction_swaps_what_is_given_and_what_is_made(tmp_path: Path, real_data: Path) -> None:
    streets = f"pairs:{real_data / 'pairs' / 'camvid128.tar'}"
    run = trained("pix2pix", streets, tmp_path / "back", steps=1, direction="B2A")
    assert json.loads((run.path / "run.json").read_text())["recipe"]["direction"] == "B2A"
    picture = np.asarray(Image.open(next(run.path.glob("samples/*.png"))))
    from zerosum.data import open_dataset

    data = open_dataset(streets, size=32)
    assert data.held_out.partners is not None
    cell = picture[2 : 2 + 64 : 2, 2 : 2 + 64 : 2]
    assert (cell == data.held_out.samples[0]).all()


def test_an_enlarging_run_makes_images_of_any_size_four_times_as_large(
    runs: dict[str, zerosum.Run], tmp_path: Path
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


def test_a_judge_joins_after_the_first_stage_and_brings_a_feature_network(tmp_path: Path) -> None:
    told = {**SMALL, "blocks": 1, "units": 8, "content": 0.0}
    stages = [
        {"steps": 2, "changes": {}, "gradually": {}},
        {"steps": 2, "changes": {"adversarial": 1e-3, "content": 0.5, "l2": 0.0}, "gradually": {}},
    ]
    del told["content"]
    run = zerosum.train("srgan", "upscale:digits", out=tmp_path / "staged", settings={**told, "stages": stages})
    assert isinstance(run, zerosum.Run)
    losses = [event["losses"] for event in run.events() if event["event"] == "step"]
    assert set(losses[0]) == {"G/l2"}
    assert {"D/adv", "G/adv", "G/content"} <= set(losses[-1])


def test_a_run_with_poses_learns_its_parts_one_after_the_other(runs: dict[str, zerosum.Run], tmp_path: Path) -> None:
    run = runs["pg2"]
    losses = [event["losses"] for event in run.events() if event["event"] == "step"]
    assert set(losses[0]) == {"G/l1"}
    assert set(losses[-1]) == {"D/adv", "G/adv", "G/l1"}
    assert run.info["data"]["shape"] == [1, 32, 32]
    picture = Image.open(next(run.path.glob("samples/*.png")))
    assert picture.width == 2 + 8 * (64 + 2)  # given, pose, made and target, twice
    told = {"z_dim": 8, "stages": TWO_PARTS, "width": 4, "size": 32, "batch": 4, "grid": 4}
    part = zerosum.train(
        "pg2", run.info["recipe"]["data"], out=tmp_path / "part", settings={**told, "stages": TWO_PARTS[:1]}
    )
    assert isinstance(part, zerosum.Run)
    mine, theirs = (dict(leaves(read(one.path / "checkpoints" / "last")["weights"])) for one in (part, run))
    for key, value in mine.items():  # the coarse part is as its own stage left it, and the others as they were made
        moved = not torch.equal(value, theirs[key])
        assert moved == ("coarse" not in key and not key.endswith("num_batches_tracked")), key


def test_a_run_that_ends_in_its_second_part_goes_on_bit_for_bit(runs: dict[str, zerosum.Run], tmp_path: Path) -> None:
    whole = runs["pg2"]
    stages = [TWO_PARTS[0], {**TWO_PARTS[1], "steps": 1}]
    told = {"z_dim": 8, "width": 4, "size": 32, "batch": 4, "grid": 4, "stages": stages}
    part = zerosum.train("pg2", whole.info["recipe"]["data"], out=tmp_path / "part", settings=told)
    assert isinstance(part, zerosum.Run)
    zerosum.resume(part.path, steps=2)
    mine, theirs = (read(run.path / "checkpoints" / "last") for run in (part, whole))
    for group in ("weights", "optimizers"):
        one, other = dict(leaves(mine[group])), dict(leaves(theirs[group]))
        assert one.keys() == other.keys()
        assert [path for path, value in one.items() if not torch.equal(value, other[path])] == []


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


def test_faces_from_the_side_are_learned_from_judged_and_translated(tmp_path: Path, real_data: Path) -> None:
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
    one, other = (dict(leaves(read(run.path / "checkpoints" / "last")["weights"])) for run in (part, whole))
    assert [path for path, value in one.items() if not torch.equal(value, other[path])] == []
    done = zerosum.translate(whole.path, [folder], out=tmp_path / "out")
    assert done.made == 120
    assert Image.open(tmp_path / "out" / "007_side.png").size == (64, 64)
    judged = zerosum.evaluate(whole.path, n=10, metrics=("l1", "ssim"))
    assert [figure.name for figure in judged.figures] == ["l1", "ssim"]
    with pytest.raises(UserError, match=r"a\.png has no landmarks; expected beside it a\.5pt"):
        zerosum.translate(whole.path, [write(tmp_path / "in", {"a.png": (64, 64)})], out=tmp_path / "refused")


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


def test_tiles_cover_every_side() -> None:
    for length in (1, 31, 32, 33, 64, 100, 1000):
        places = starts(length, 32, 8)
        covered = {pixel for start in places for pixel in range(start, start + 32)}
        assert set(range(length)) <= covered
        assert max(places) + 32 <= max(length, 32)
        assert all(b - a <= 24 for a, b in pairwise(places))
