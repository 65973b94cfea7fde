"""A checkpoint is a folder: safetensors, JSON and a manifest, written beside the old one, synced, then renamed.

Nothing in it is ever unpickled. A crash at any moment leaves a whole checkpoint: `last`, or the one before it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from zerosum.errors import CheckpointError, TrainingError

FORMAT = 1
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write(folder: Path, state: Mapping[str, Any], *, previous: Path | None = None) -> None:
    """Write a checkpoint as `folder`, in place of what was there; that becomes `previous`, or goes.

    `state`: a tree whose first level names the files; leaves are tensors and JSON values.
    `TrainingError` where the disk is full; the old checkpoint is then as it was.
    """
    beside = folder.parent / f".{folder.name}.writing"
    try:
        _discard(beside)
        beside.mkdir(parents=True)
        files = {name: _write_synced(beside / name, data) for name, data in _files(state)}
        _write_synced(beside / "manifest.json", _manifest_text({"format": FORMAT, "files": files}))
        _sync(beside)
    except OSError as error:
        _discard(beside)
        if error.errno in FULL:
            raise TrainingError(
                f"the disk is full: {folder.name} could not be written to {folder.parent}; earlier checkpoints are "
                "whole: free some space, then resume"
            ) from error
        raise TrainingError(f"{folder.name} could not be written to {folder.parent}: {error.strerror}") from error
    _replace(folder, beside, previous or folder.parent / f".{folder.name}.old")
    if previous is None:
        _discard(folder.parent / f".{folder.name}.old")


def read(folder: Path) -> dict[str, Any]:
    """The state that `write` was given, with tensors on the CPU, after every file's size and SHA-256 is checked.

    A run may replace its checkpoint meanwhile: then the new one is read. `CheckpointError` names the file that is
    damaged or missing, or the reason why this is no checkpoint.
    """
    listed = manifest(folder)
    try:
        data = {name: _checked(folder / name, entry) for name, entry in listed["files"].items()}
    except CheckpointError:
        if manifest(folder) != listed:
            return read(folder)
        raise
    state: dict[str, Any] = json.loads(data.pop("state.json"))
    for name, content in data.items():
        try:
            tensors = safetensors.torch.load(content)
        except SafetensorError as error:
            raise CheckpointError(f"{folder / name} is not a safetensors file: {error}") from error
        for key, tensor in tensors.items():
            _plant(state, (name.removesuffix(".safetensors"), *key.split("/")), tensor)
    return state


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a checkpoint; `CheckpointError` where it is missing, damaged or of a future version."""
    if folder.is_file():
        refuse_pickle(folder)
        raise CheckpointError(f"{folder} is a file; expected the folder of a checkpoint or of a run")
    path = folder / "manifest.json"
    try:
        data = path.read_bytes()
        found = json.loads(data)
        version = found["format"]
    except FileNotFoundError:
        raise CheckpointError(f"{folder} has no manifest.json: it is not a whole checkpoint") from None
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged") from error
    if isinstance(version, int) and version > FORMAT:
        raise CheckpointError(
            f"{path} has format {version}, and this zerosum reads up to {FORMAT}: a newer one wrote it; update"
        )
    # Any other byte than those that `write` puts there, even a blank, is damage.
    if version != FORMAT or data != _manifest_text(found) or not _is_listing(found.get("files")):
        raise CheckpointError(f"{path} is damaged")
    return dict(found)


def _manifest_text(manifest: Mapping[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1).encode()


def _is_listing(files: Any) -> bool:
    return (
        isinstance(files, dict)
        and "state.json" in files
        and all(Path(name).name == name for name in files)
        and all(isinstance(entry, dict) and {"bytes", "sha256"} <= entry.keys() for entry in files.values())
    )


def refuse_pickle(path: Path) -> None:
    """`CheckpointError` where a file is a pickle: loading one runs whatever code is in it."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError:
        return
    if head.startswith(PICKLES) or path.suffix in (".pt", ".pth", ".pkl", ".pickle", ".ckpt"):
        raise CheckpointError(
            f"{path} is a pickled checkpoint, and unpickling runs code from the file, so zerosum never does: "
            "give the folder of a run or of a checkpoint, whose weights are safetensors"
        )


def _files(state: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    plain: dict[str, Any] = {}
    for name, branch in state.items():
        tensors: dict[str, Tensor] = {}
        plain[name] = _split(branch, "", tensors)
        if tensors:
            yield f"{name}.safetensors", safetensors.torch.save(tensors)
    yield "state.json", json.dumps(plain, indent=1, allow_nan=False).encode()


def _split(branch: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """The branch without its tensors, which are collected under their paths."""
    if not isinstance(branch, Mapping):
        return branch
    plain = {}
    for key, value in branch.items():
        held = len(tensors)
        below = f"{path}/{key}" if path else str(key)
        if isinstance(value, Tensor):
            tensors[below] = value.detach().to("cpu", copy=True).contiguous()
        else:
            plain[str(key)] = _split(value, below, tensors)
        if "/" in str(key) and len(tensors) > held:
            raise ValueError(f"the key {key!r} would break the path of a tensor")
    return plain


def _plant(tree: dict[str, Any], path: tuple[str, ...], tensor: Tensor) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = tensor


def _write_synced(path: Path, data: bytes) -> dict[str, Any]:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _checked(path: Path, entry: Mapping[str, Any]) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing") from None
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror}") from error
    if len(data) != entry["bytes"]:
        raise CheckpointError(f"{path} has {len(data)} bytes; its manifest says {entry['bytes']}")
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise CheckpointError(f"{path} is damaged: its SHA-256 is not the manifest's")
    return data


def _replace(folder: Path, beside: Path, previous: Path) -> None:
    """Put `beside` in the place of `folder`; at every moment one of folder, previous and beside is whole."""
    if folder.exists():
        trash = folder.parent / f".{previous.name}.trash"
        _discard(trash)
        if previous.exists():
            _move(previous, trash)
        _move(folder, previous)
        _move(beside, folder)
        _discard(trash)
    else:
        _move(beside, folder)
        _sync(folder.parent.parent)  # the first of a run made the folder of its checkpoints too
    _sync(folder.parent)


def _move(folder: Path, to: Path) -> None:
    """Rename a folder. Windows refuses that while anybody has a file in it open, as a scanner does for a moment."""
    for wait in (0.1, 0.3, 1.0, 3.0):
        try:
            folder.rename(to)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(wait)
    folder.rename(to)


def _discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder can't be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def load_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Into the network; `CheckpointError` where it is another than they are of, which a recipe's may become."""
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise CheckpointError(
            "the checkpoint is of another network than this version of zerosum builds for its recipe: use it with the "
            "version that run.json names, or begin anew with `zerosum resume RUN --from start`"
        ) from None


def all_finite(state: Mapping[str, Any]) -> bool:
    """Whether every number in a tree of tensors is finite."""
    return all(
        all_finite(value) if isinstance(value, Mapping) else bool(torch.isfinite(value).all())
        for value in state.values()
        if isinstance(value, Mapping | Tensor)
    )
