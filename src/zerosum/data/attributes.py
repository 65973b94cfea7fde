"""CelebA's layout: faces beside a table of attributes and, if it is there, one of the published split.

`list_attr_celeba.txt` has the number of faces, the names of the attributes, and a line for each face with 1 or -1 for
each; `list_eval_partition.txt` has 0, 1 or 2 for train, validation and test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from zerosum.data import archive
from zerosum.data.archive import File
from zerosum.data.forms import Arranged, Form, held_of, require_taught, split_of
from zerosum.errors import UserError

TABLES = TABLE, PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"
CHOSEN = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")  # those of StarGAN's experiments
COLOURS = {"Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"}  # of several chosen ones a face has to have one
FACES = "img_align_celeba"  # of the download's folders the one that is taken, where there are others
VALIDATION, TEST = "1", "2"
NONE = "none"  # the domain of faces without any of the attributes


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """Of each face, by its file's name without an ending, its attributes' domain and the part of the split it is in."""

    domains: dict[str, str]
    parts: dict[str, str]  # empty without a published split

    def arrange(self, names: Sequence[str], digests: Sequence[bytes]) -> Arranged:
        """A domain for each combination that there is; held out by the published split, else by content."""
        own = [PurePosixPath(name).stem for name in names]
        aligned = {row for row, name in enumerate(names) if FACES in name.split("/")}
        split = None if self.parts else split_of(names)
        used = split or range(len(names))
        known = [row for row in used if own[row] in self.domains and (row in aligned or not aligned)]
        kept = [row for row in known if not self.parts or self.parts.get(own[row], VALIDATION) != VALIDATION]
        classes = tuple(sorted({self.domains[own[row]] for row in kept}))
        if len(classes) < 2:
            raise UserError(
                f"the attributes of {len(kept):,} faces that {TABLE} knows make {len(classes)} domains; expected at "
                "least two, of files named as in the table"
            )
        labels = [classes.index(self.domains[own[row]]) for row in kept]
        held = np.array([self.parts.get(own[row]) == TEST for row in kept])
        if not held.any():
            held = held_of(split, kept, digests, labels)
            require_taught(classes, labels, held)
        left_out = "of no one colour of hair, of the validation part, or not in the table"
        return Arranged(kept=kept, held=held, classes=classes, labels=labels, left_out=left_out)

    def form(self) -> Form:
        """The form of a source; its name holds what the tables say, for the cache."""
        told = "\n".join(map(repr, (sorted(self.domains.items()), sorted(self.parts.items()))))
        return Form(name=f"attributes-{hashlib.sha256(told.encode()).hexdigest()[:16]}", arrange=self.arrange)


def read_attributes(path: Path, chosen: Sequence[str]) -> Attributes:
    """Of a folder, tar or zip; `UserError` without the table, for one that is damaged, or that lacks an attribute."""
    tables = _tables(path)
    if TABLE not in tables:
        raise UserError(f"{archive.shown(path)} has no {TABLE}; expected CelebA's folder, its faces and its tables")
    lines = iter(tables[TABLE].splitlines())
    count, header = next(lines, "").strip(), next(lines, "").split()
    if missing := sorted(set(chosen) - set(header)):
        raise UserError(f"{TABLE} has no attribute {missing[0]}; it has {', '.join(header) or 'none'}")
    places, one_colour = [header.index(name) for name in chosen], len(COLOURS & set(chosen)) > 1
    domains, rows = {}, [line for line in lines if line.strip()]
    for line in rows:
        name, *values = line.split()
        if len(values) != len(header) or not {"1", "-1"}.issuperset(values):
            raise UserError(f"{TABLE} is damaged at {name}: expected 1 or -1 for each of {len(header)} attributes")
        has = [one for one, place in zip(chosen, places, strict=True) if values[place] == "1"]
        if not one_colour or len(COLOURS & set(has)) == 1:
            domains[PurePosixPath(name).stem] = "+".join(has) or NONE
    if count != str(len(rows)):
        raise UserError(f"{TABLE} has {len(rows)} faces and says {count} in its first line: it is not whole")
    split = (line.split() for line in tables.get(PARTITION, "").splitlines() if line.strip())
    try:
        parts = {PurePosixPath(name).stem: part for name, part in split}
    except ValueError:
        raise UserError(f"{PARTITION} is damaged: expected a name and 0, 1 or 2 in each line") from None
    return Attributes(domains=domains, parts=parts)


def _tables(path: Path) -> dict[str, str]:
    """The text of those that are there, by their names."""
    if path.is_dir():  # without a look into each of 200,000 faces
        files = ((found.name, found.read_bytes()) for name in TABLES for found in path.rglob(name))
    else:
        items = (item for item in archive.read_files(path) if isinstance(item, File))
        files = ((name, item.data) for item in items if (name := item.name.rpartition("/")[2]) in TABLES)
    return {name: data.decode("utf-8", "replace") for name, data in files}
