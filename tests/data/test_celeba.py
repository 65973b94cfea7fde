"""CelebA's layout: tables of attributes and of the split, beside faces in a folder or an archive."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.data import open_dataset
from zerosum.errors import UserError

NAMES = "Black_Hair Blond_Hair Brown_Hair Male Smiling Young"
ROWS = {  # black, blond, brown, male, smiling, young
    "000001.jpg": "1 -1 -1 1 -1 1",
    "000002.jpg": "-1 1 -1 -1 1 1",
    "000003.jpg": "-1 1 -1 -1 -1 1",
    "000004.jpg": "-1 -1 1 1 1 -1",
    "000005.jpg": "-1 -1 -1 1 -1 1",  # bald
    "000006.jpg": "1 1 -1 1 -1 1",  # two colours
    "000007.jpg": "1 -1 -1 1 1 1",
    "000008.jpg": "-1 -1 1 1 -1 -1",
}
PARTS = {"000002.jpg": 1, "000003.jpg": 2, "000007.jpg": 2}


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """Eight faces of their own brightness, with the tables where the download has them."""
    root = tmp_path / "CelebA"
    (root / "img_align_celeba").mkdir(parents=True)
    (root / "Anno").mkdir()
    for name in ROWS:
        level = 10 * int(name[:6])
        Image.fromarray(np.full((218, 178, 3), level, np.uint8)).save(root / "img_align_celeba" / name, quality=95)
    write(root, ROWS)
    return root


def write(root: Path, rows: dict[str, str], parts: dict[str, int] | None = None) -> None:
    lines = [str(len(rows)), NAMES, *(f"{name}  {values}" for name, values in rows.items())]
    (root / "Anno" / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    if parts is not None:
        split = [f"{name} {parts.get(name, 0)}" for name in rows]
        (root / "list_eval_partition.txt").write_text("\n".join(split) + "\n")


def found(source: str) -> dict[str, list[tuple[int, str]]]:
    """Of each part of the data the number of each face, told by its brightness, and its domain."""
    data = open_dataset(source, size=32)
    assert data.classes is not None
    told = {}
    for name, part in (("train", data.train), ("held out", data.held_out)):
        assert part.labels is not None
        numbers = np.rint(np.asarray(part.samples)[:, 16, 16, 0] / 10).astype(int).tolist()
        told[name] = sorted(zip(numbers, [data.classes[label] for label in part.labels], strict=True))
    return told


def test_each_combination_of_the_papers_attributes_is_a_domain(celeba: Path) -> None:
    expected = [
        (1, "Black_Hair+Male+Young"),
        (2, "Blond_Hair+Young"),
        (3, "Blond_Hair+Young"),
        (4, "Brown_Hair+Male"),
        (7, "Black_Hair+Male+Young"),
        (8, "Brown_Hair+Male"),
    ]
    told = found(f"celeba:{celeba}")
    assert sorted(told["train"] + told["held out"]) == expected
    data = open_dataset(f"celeba:{celeba}", size=32)
    assert data.classes == ("Black_Hair+Male+Young", "Blond_Hair+Young", "Brown_Hair+Male")
    assert sorted(one.name for one in data.skipped) == ["img_align_celeba/000005.jpg", "img_align_celeba/000006.jpg"]


def test_the_published_split_holds_out_its_test_part_and_leaves_out_its_validation_part(celeba: Path) -> None:
    before = found(f"celeba:{celeba}")
    write(celeba, ROWS, PARTS)
    told = found(f"celeba:{celeba}")  # a new table, though no face has changed
    assert told != before
    assert [number for number, _ in told["held out"]] == [3, 7]
    assert [number for number, _ in told["train"]] == [1, 4, 8]


def test_other_attributes_and_an_archive(celeba: Path, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", celeba.parent, celeba.name)
    told = found(f"celeba:{packed}#Smiling,Male")
    domains = dict(told["train"] + told["held out"])
    assert domains == {
        1: "Male",
        2: "Smiling",
        3: "none",
        4: "Smiling+Male",
        5: "Male",
        6: "Male",
        7: "Smiling+Male",
        8: "Male",
    }


def test_wavy_hair_is_no_colour_and_files_of_another_kind_are_the_same_faces(celeba: Path) -> None:
    rows = {name: f"{values} {wavy}" for (name, values), wavy in zip(ROWS.items(), ["1", "-1"] * 4, strict=True)}
    write(celeba, rows)
    table = celeba / "Anno" / "list_attr_celeba.txt"
    table.write_text(table.read_text().replace(NAMES, f"{NAMES} Wavy_Hair"))
    for path in (celeba / "img_align_celeba").iterdir():
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    (celeba / "img_celeba").mkdir()  # the same faces before they were aligned
    shutil.copy(celeba / "img_align_celeba" / "000001.png", celeba / "img_celeba" / "000001.png")
    hashed = celeba.rename(celeba.parent / "Celeb#A")
    told = found(f"celeba:{hashed}/#Black_Hair,Blond_Hair,Wavy_Hair")
    assert sorted(told["train"] + told["held out"]) == [
        (1, "Black_Hair+Wavy_Hair"),
        (2, "Blond_Hair"),
        (3, "Blond_Hair+Wavy_Hair"),
        (7, "Black_Hair+Wavy_Hair"),
    ]


def test_what_is_no_celeba_is_told_in_a_line(celeba: Path) -> None:
    with pytest.raises(UserError, match="has no attribute Beard; it has Black_Hair"):
        open_dataset(f"celeba:{celeba}#Male,Beard", size=32)
    write(celeba, dict.fromkeys(ROWS, ROWS["000001.jpg"]))
    with pytest.raises(UserError, match=r"of 8 faces that list_attr_celeba.txt knows make 1 domains"):
        open_dataset(f"celeba:{celeba}", size=32)
    write(celeba, ROWS | {"000002.jpg": "1 -1 0 1 1 1"})
    with pytest.raises(UserError, match=r"list_attr_celeba.txt is damaged at 000002.jpg: expected 1 or -1 for each of"):
        open_dataset(f"celeba:{celeba}", size=32)
    table = celeba / "Anno" / "list_attr_celeba.txt"
    write(celeba, ROWS)
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match="has 7 faces and says 8 in its first line: it is not whole"):
        open_dataset(f"celeba:{celeba}", size=32)
    table.write_text("202599\n")
    with pytest.raises(UserError, match="has no attribute Black_Hair; it has none"):
        open_dataset(f"celeba:{celeba}", size=32)
    table.unlink()
    with pytest.raises(UserError, match=r"has no list_attr_celeba.txt; expected CelebA's folder"):
        open_dataset(f"celeba:{celeba}", size=32)
