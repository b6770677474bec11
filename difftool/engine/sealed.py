"""The outside of a weights file, read without torch: what it says it is, and whether it is whole.

safetensors itself has no checksum: a flipped bit loads as a wrong number. The seal in the metadata covers every
byte of the tensors and every word of the metadata, so that a damaged or edited file is refused, never sampled.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from difftool.errors import InputError

FORMAT = "1"
ANOTHER = "use another copy; of a run, `difftool sample RUN --raw` and `difftool resume RUN` use its checkpoints"


@dataclass(frozen=True)
class Sealed:
    """A file whose seal was right: its words, and all its bytes."""

    label: str
    words: dict[str, str]
    raw: bytes

    @property
    def digest(self) -> str:
        """sha256 of the file."""
        return hashlib.sha256(self.raw).hexdigest()


def open_sealed(path: Path) -> Sealed:
    """Reads a weights file; anything that is not one, or is damaged, is refused with what it is."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path.absolute()}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    header, payload = _split(raw, str(path))
    words: dict[str, str] = header["__metadata__"]
    if words.pop("seal", None) != seal(header, payload):
        raise InputError(f"{path} is damaged or was edited", why="its seal does not fit its content", do=ANOTHER)
    return Sealed(str(path), words, raw)


def open_model_file(path: Path) -> Sealed:
    """A weights file that can be sampled."""
    file = open_sealed(path)
    if (kind := file.words.get("kind")) not in ("model", "ema"):
        raise InputError(
            f"{path} holds {kind or 'something else'}, not a network",
            do="name model.safetensors, of the run or of a checkpoint",
        )
    return file


def seal(header: Mapping[str, Any], payload: bytes) -> str:
    """The hash that a file must carry, of everything in it but the hash itself."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    digest.update(payload)
    return digest.hexdigest()


def _split(raw: bytes, label: str) -> tuple[dict[str, Any], bytes]:
    length = struct.unpack("<Q", raw[:8])[0] if len(raw) >= 8 else 0
    if not 2 <= length <= min(len(raw) - 8, 16 << 20) or raw[8:9] != b"{":
        # Asked only now: the length of a good file may begin with the same byte as a pickle.
        if raw[:4] == b"PK\x03\x04" or raw[:1] == b"\x80":
            raise InputError(
                f"{label} is a pickle, and opening one runs its code",
                do="difftool reads .safetensors only; convert the weights where you trust them",
            )
        raise InputError(f"{label} is not a safetensors file, or its beginning is damaged", do=ANOTHER)
    try:
        header: dict[str, Any] = json.loads(raw[8 : 8 + length])
    except (ValueError, RecursionError):
        raise InputError(f"{label} is not a safetensors file, or its beginning is damaged", do=ANOTHER) from None
    words = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    if not isinstance(words, dict) or "difftool" not in words:
        raise InputError(
            f"{label} was not written by difftool", why="it does not say which network its numbers belong to"
        )
    if words["difftool"] != FORMAT:
        raise InputError(
            f"{label} has format {words['difftool']}; this difftool reads format {FORMAT}", do="update difftool"
        )
    return header, raw[8 + length :]
