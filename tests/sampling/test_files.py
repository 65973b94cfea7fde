"""Output appears whole or not at all, and a place that can't be written is the user's to change, in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zerosum.errors import UserError
from zerosum.sampling.files import grids, new_folder, replacing


def file(path: Path, error: OSError | None = None) -> None:
    with replacing(path) as partial:
        partial.write_bytes(b"half")
        if error is not None:
            raise error


def folder(path: Path, error: OSError | None = None) -> None:
    with new_folder(path) as partial:
        (partial / "a").write_bytes(b"half")
        if error is not None:
            raise error


@pytest.mark.parametrize("place", ["file/a.png", "a" * 300 + ".png", "full"])
@pytest.mark.parametrize("write", [file, folder])
def test_a_place_that_can_not_be_written_is_one_line(tmp_path: Path, place: str, write: Callable[..., None]) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "full" / "inside").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"can't be written|is not empty") as caught:
        write(tmp_path / place)
    assert str(caught.value).startswith(str(tmp_path / place))
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("write", [file, folder])
def test_a_disk_that_fills_up_meanwhile_is_named_and_leaves_nothing(tmp_path: Path, write: Callable[..., None]) -> None:
    with pytest.raises(UserError, match=r"can't be written \(No space left on device\): give another place"):
        write(tmp_path / "a", OSError(28, "No space left on device"))
    with pytest.raises(UserError, match=r"can't be written \(encoder error -2\)"):  # Pillow's word for it
        write(tmp_path / "a", OSError("encoder error -2"))
    assert list(tmp_path.iterdir()) == []


def test_grids_come_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for name in ("1000000.png", "999999.png", "000500.png", "mine.png", "evolution.webp"):
        (tmp_path / name).touch()
    assert [path.stem for path in grids(tmp_path)] == ["000500", "999999", "1000000"]
