"""Drawing from a generator: the same z for every batch size, and files that hold what was drawn."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from zerosum.errors import UserError
from zerosum.sampling.draw import at_once, class_labels, draw, evaluating, latents, write, write_folder, write_npz


class Painter(nn.Module):
    """A G that shows z[0] as the brightness of its image, and y in the first pixel."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.norm = nn.BatchNorm1d(4)
        self.dropout = nn.Dropout(0.9)
        self.norm.eval()
        self.seen: list[tuple[int, bool, bool]] = []

    def forward(self, z: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        self.seen.append((len(z), self.training, torch.is_grad_enabled()))
        z = self.dropout(self.norm(z))
        images = torch.tanh(z[:, :1, None, None]).expand(-1, self.channels, 6, 6).clone()
        if y is not None:
            images[:, :, 0, 0] = y[:, None] / 127.5 - 1
        return images


class Points(nn.Module):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z[:, :2]


def test_latents_depend_on_seed_and_place_alone():
    whole = torch.cat(list(latents(300, 7, seed=3, batch=300)))
    for batch in (1, 63, 64, 65, 256):
        assert torch.equal(torch.cat(list(latents(300, 7, seed=3, batch=batch))), whole)
    assert torch.equal(torch.cat(list(latents(10, 7, seed=3))), whole[:10])
    assert not torch.equal(torch.cat(list(latents(300, 7, seed=4))), whole)
    assert [len(z) for z in latents(300, 7, seed=3, batch=128)] == [128, 128, 44]


def test_latents_are_standard_normal_and_leave_the_global_random_state():
    state = torch.get_rng_state()
    z = torch.cat(list(latents(20_000, 5, seed=0)))
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(z.mean(0), torch.zeros(5), atol=0.03, rtol=0)
    torch.testing.assert_close(z.T.cov(), torch.eye(5), atol=0.04, rtol=0)


def test_draw_gives_the_same_images_for_every_batch_size():
    G = Painter(3)
    whole = np.concatenate(list(draw(G, 150, z_dim=4, seed=1, batch=150)))
    parts = list(draw(G, 150, z_dim=4, seed=1, batch=32))
    assert whole.shape == (150, 6, 6, 3)
    assert whole.dtype == np.uint8
    assert [len(part) for part in parts] == [32, 32, 32, 32, 22]
    assert (np.concatenate(parts) == whole).all()
    assert len(np.unique(whole[:, 0, 0, 0])) > 50


def test_large_images_are_drawn_a_few_at_a_time():
    assert [at_once((3, side, side)) for side in (28, 64, 128, 256, 1024)] == [256, 256, 64, 16, 1]
    assert at_once((2,)) == 256


def test_draw_evaluates_and_leaves_every_module_as_it_was():
    G = Painter().train()
    G.norm.eval()
    batches = draw(G, 8, z_dim=4, seed=0, batch=4)
    next(batches)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert (G.training, G.norm.training, G.dropout.training) == (True, False, True)
    list(batches)
    assert G.seen == [(4, False, False)] * 2
    with pytest.raises(RuntimeError), evaluating(G):
        raise RuntimeError
    assert (G.training, G.norm.training, G.dropout.training) == (True, False, True)


def test_labels_reach_the_images_they_belong_to():
    labels = class_labels(25, 10)
    images = np.concatenate(list(draw(Painter(), 25, z_dim=4, seed=0, labels=labels, batch=7)))
    assert images[:, 0, 0, 0].tolist() == [index % 10 for index in range(25)]
    assert class_labels(3, 10, only=4).tolist() == [4, 4, 4]
    with pytest.raises(UserError, match="0 to 9"):
        class_labels(3, 10, only=10)


def test_impossible_counts_are_refused():
    with pytest.raises(UserError, match="at least 1"):
        next(draw(Painter(), 0, z_dim=4, seed=0))
    with pytest.raises(ValueError, match="2 labels for 3"):
        next(draw(Painter(), 3, z_dim=4, seed=0, labels=np.zeros(2, np.int64)))


def test_npz_holds_what_was_drawn(tmp_path):
    labels = class_labels(100, 3)
    drawn = np.concatenate(list(draw(Painter(3), 100, z_dim=4, seed=5)))
    path = write(draw(Painter(3), 100, z_dim=4, seed=5, batch=33), tmp_path / "x" / "a.npz", count=100, labels=labels)
    with np.load(path, allow_pickle=False) as file:
        assert sorted(file.files) == ["images", "labels"]
        assert (file["images"] == drawn).all()
        assert file["images"].dtype == np.uint8
        assert (file["labels"] == labels).all()
    assert zipfile.ZipFile(path).testzip() is None
    again = write_npz(draw(Painter(3), 100, z_dim=4, seed=5), tmp_path / "b.npz", count=100, labels=labels)
    assert again.read_bytes() == path.read_bytes()


def test_points_go_to_npz_as_floats(tmp_path):
    path = write(draw(Points(), 70, z_dim=2, seed=2, batch=9), tmp_path / "p.npz", count=70)
    expected = torch.cat(list(latents(70, 2, seed=2))).numpy()
    assert (np.load(path)["points"] == expected).all()


def test_fifty_thousand_digits_take_the_memory_of_a_batch(tmp_path):
    batch = np.zeros((250, 28, 28, 1), np.uint8)
    tracemalloc.start()
    write_npz((batch + np.uint8(0) for _ in range(200)), tmp_path / "many.npz", count=50_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6
    assert np.load(tmp_path / "many.npz")["images"].shape == (50_000, 28, 28, 1)


@pytest.mark.parametrize("count", [3, 9])
def test_a_count_that_is_not_met_leaves_no_file(tmp_path, count):
    (tmp_path / "a.npz").write_bytes(b"older")
    batches = [np.zeros((3, 2, 2, 1), np.uint8)] * 2
    with pytest.raises(ValueError, match=f"6 samples were drawn, not {count}"):
        write_npz(iter(batches), tmp_path / "a.npz", count=count)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == b"older"


def test_a_folder_holds_one_numbered_png_each(tmp_path):
    for channels, mode in [(1, "L"), (3, "RGB")]:
        drawn = np.concatenate(list(draw(Painter(channels), 12, z_dim=4, seed=0)))
        folder = write(draw(Painter(channels), 12, z_dim=4, seed=0, batch=5), tmp_path / mode, count=12)
        names = sorted(path.name for path in folder.iterdir())
        assert names == [f"{index:06d}.png" for index in range(12)]
        for index, name in enumerate(names):
            with Image.open(folder / name) as image:
                assert image.mode == mode
                assert (np.asarray(image).reshape(6, 6, channels) == drawn[index]).all()


def test_a_folder_with_something_in_it_is_refused_and_an_empty_one_is_taken(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="not empty"):
        write_folder(draw(Painter(), 2, z_dim=4, seed=0), tmp_path / "full")
    assert (tmp_path / "full" / "mine.txt").read_text() == "x"
    (tmp_path / "empty").mkdir()
    assert len(list(write_folder(draw(Painter(), 2, z_dim=4, seed=0), tmp_path / "empty").iterdir())) == 2


def test_a_folder_that_fails_half_way_is_not_there(tmp_path):
    def failing():
        yield np.zeros((2, 4, 4, 1), np.uint8)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_folder(failing(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_png_is_the_grid_of_the_samples(tmp_path):
    path = write(draw(Painter(), 9, z_dim=4, seed=0), tmp_path / "grid.png", count=9)
    first = next(draw(Painter(), 1, z_dim=4, seed=0))[0, 0, 0, 0]
    with Image.open(path) as image:
        assert image.size == (2 + 3 * 62, 2 + 3 * 62)  # 6 pixels, enlarged ten times, and the gutters
        assert image.getpixel((5, 5)) == first
    with Image.open(write(draw(Points(), 50, z_dim=2, seed=0), tmp_path / "p.png", count=50)) as image:
        assert image.size == (480, 480)


def test_names_that_say_nothing_known_and_grids_too_large_are_refused(tmp_path):
    for name, count, expected in [("a.jpg", 4, "FILE.npz"), ("a.png", 10_001, "10000")]:
        with pytest.raises(UserError, match=expected):
            write(draw(Painter(), count, z_dim=4, seed=0), tmp_path / name, count=count)
    with pytest.raises(UserError, match="points"):
        write(draw(Points(), 4, z_dim=2, seed=0), tmp_path / "folder", count=4)
    assert list(Path(tmp_path).iterdir()) == []
