"""Where picture files come from: a folder, a .zip or a .tar, each read in place. Nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import os
import re
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from difftool.data.listing import SUFFIXES, Entry, Listing, list_folder
from difftool.errors import InputError

MAX_MEMBERS = 1_000_000
MAX_RATIO = 200
"""A member that unpacks to more times its size is no picture: picture files are packed already."""
SMALL = 4 << 20
"""Up to this a blank bitmap may unpack from next to nothing."""
AT_ONCE = 16 << 20
"""Members up to this size are read whole; from larger ones the decoder takes as much as it needs."""
HEADER = 46
"""Bytes of a member in a zip's directory, at the least."""
DO = "set data.path (or --data PATH) to a folder of pictures, or to a .zip or .tar of them"


class Source(Protocol):
    """Picture files, listed once and read by any number of threads."""

    root: Path
    listing: Listing

    def open(self, entry: Entry) -> Path | BinaryIO:
        """What a decoder reads from; a path is not opened yet."""
        ...

    def close(self) -> None: ...


def source_at(path: Path) -> Source:
    """The files at a path; one where there cannot be any is refused."""
    root = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111  (an unknown ~user is a name like any other)
    try:
        if root.is_dir():
            return _Folder(root)
        if not root.is_file():
            there = "is neither a folder nor a file" if root.exists() else "does not exist"
            raise InputError(f"the data path {there}", where=str(root), do=DO)
        if root.stat().st_size and tarfile.is_tarfile(root):  # first: one that holds a .zip would pass for that
            return _Tar(root)
        if zipfile.is_zipfile(root):
            return _Zip(root)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError("the data cannot be read", where=str(root), why=why) from error
    except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError, ValueError, struct.error) as error:
        raise InputError(
            "the archive is damaged", where=str(root), why=str(error), do="make or fetch it anew"
        ) from error
    with root.open("rb") as file:
        start = file.read(4)
    if start == b"PK\3\4" or (not start and root.suffix.lower() in (".zip", ".tar")):
        why = "it ends too early, as an unfinished download does" if start else "it is empty"
        raise InputError("the archive is damaged", where=str(root), why=why, do="make or fetch it anew")
    what = "one picture, not a folder of them" if root.suffix.lower() in SUFFIXES else "neither a .zip nor a .tar"
    raise InputError(f"the data path is a file, {what}", where=str(root), do=DO)


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.listing = list_folder(root)

    def open(self, entry: Entry) -> Path:
        return self.root / entry.name

    def close(self) -> None: ...


class _Zip:
    def __init__(self, root: Path) -> None:
        if (count := _members_of_zip(root)) > MAX_MEMBERS:
            raise _too_many(root, count)
        self.root = root
        self._archive = zipfile.ZipFile(root)
        self._members: dict[str, zipfile.ZipInfo] = {}
        self.listing = Listing()
        for member in self._archive.infolist():
            if member.filename.endswith("/"):
                continue
            name = member.filename.removeprefix("./")
            if member.create_system == 0:  # some programs of Windows write their own sign between folders
                name = name.replace("\\", "/")
            if why := self._refusal(member, name):
                self.listing.refuse(name, why)
                continue
            self._members[name] = member
            self.listing.add(Entry(name, member.file_size, member.CRC))
        self.listing.sort()

    def _refusal(self, member: zipfile.ZipInfo, name: str) -> str | None:
        mode = member.external_attr >> 16
        if name in self._members:
            return "another file of the archive has the same name"
        if _outside(member.orig_filename):
            return "its name leads out of the archive"
        if member.flag_bits & 1:
            return "encrypted"
        if mode & 0o170000 not in (0, 0o100000):
            return "not a regular file"
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return "packed in another way than deflate"  # those unpack to any size before they can be stopped
        if member.file_size > max(SMALL, MAX_RATIO * member.compress_size):
            return f"unpacks to more than {MAX_RATIO} times its size"
        return None

    def open(self, entry: Entry) -> BinaryIO:
        member = self._members[entry.name]
        if member.file_size <= AT_ONCE:
            with self._archive.open(member) as file:  # read() without a size unpacks all there is, not what it says
                return io.BytesIO(file.read(member.file_size))
        return self._archive.open(member)  # type: ignore[return-value]  # it reads, seeks and tells

    def close(self) -> None:
        self._archive.close()


class _Tar:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.listing = Listing()
        names: dict[str, tuple[int, int]] = {}  # size and place
        status = os.stat(root)  # noqa: PTH116
        # The archive's own time: members made by a program often have none. The second one no program can set.
        stamp = max(status.st_mtime_ns, status.st_ctime_ns)
        try:
            archive = tarfile.open(root, "r:")  # noqa: SIM115
        except tarfile.ReadError:
            raise InputError(
                "the .tar is compressed, so its pictures cannot be read one by one",
                where=str(root),
                do="unpack it into a folder, or pack the pictures as .zip",
            ) from None
        with archive:
            count, after = 0, 0
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # or it remembers them all, a kilobyte each
                if (count := count + 1) > MAX_MEMBERS:
                    raise _too_many(root, count)
                if member.size < 0 or member.offset < after:  # it would be read round and round
                    raise tarfile.ReadError("its members overlap")
                after = member.offset + 1
                if member.isdir():
                    continue
                name = member.name.removeprefix("./")
                if _outside(member.name):
                    self.listing.refuse(name, "its name leads out of the archive")
                elif name in names:
                    self.listing.refuse(name, "another file of the archive has the same name")
                elif member.islnk() and (first := names.get(member.linkname.removeprefix("./"))):
                    names[name] = first  # of two names for one file tar keeps the bytes of the first
                    self.listing.add(Entry(name, first[0], stamp, first[1]))
                elif not member.isreg() or member.issparse():
                    self.listing.refuse(name, "not a regular file")
                else:
                    names[name] = (member.size, member.offset_data)
                    self.listing.add(Entry(name, member.size, stamp, member.offset_data))
            rest = _rest_of(root, archive.offset)
            if len(rest) < tarfile.BLOCKSIZE:
                raise tarfile.ReadError("it ends too early, as an unfinished download does")
            if rest.strip(b"\0"):
                raise tarfile.ReadError("it goes on with what is no member")
        self._file = os.open(root, os.O_RDONLY)
        self.listing.sort()

    def open(self, entry: Entry) -> BinaryIO:
        if entry.size <= AT_ONCE:
            return io.BytesIO(os.pread(self._file, entry.size, entry.offset))
        return io.BufferedReader(_Part(self._file, entry.offset, entry.size))

    def close(self) -> None:
        os.close(self._file)


class _Part(io.RawIOBase):
    """A stretch of a file that others read too."""

    def __init__(self, file: int, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = max(0, min(len(buffer), self._size - self._at))
        done = os.pread(self._file, wanted, self._start + self._at)
        buffer[: len(done)] = done
        self._at += len(done)
        return len(done)


def _rest_of(root: Path, offset: int) -> bytes:
    """The block where a .tar ends: noughts, if it is whole."""
    with root.open("rb") as file:
        file.seek(offset)
        return file.read(tarfile.BLOCKSIZE)


def _outside(name: str) -> bool:
    """Whether unpacking it would write elsewhere. Nothing is unpacked, but nobody packs pictures like that."""
    return bool(re.match(r"[/\\]|[A-Za-z]:", name)) or ".." in re.split(r"[/\\]", name) or "\0" in name


def _members_of_zip(root: Path) -> int:
    """How many members there may be: reading a directory of millions takes all memory."""
    with root.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        tail_at = max(0, length - 22 - 65535 - 76)
        file.seek(tail_at)
        tail = file.read()
        end = tail.rfind(b"PK\x05\x06", 0, len(tail) - 18)
        if end < 0:
            return 0
        count, size = struct.unpack_from("<HL", tail, end + 10)
        locator = tail[max(0, end - 20) : end]
        if locator.startswith(b"PK\x06\x07"):  # larger numbers in a record that lies where it says, or just before
            for place in (struct.unpack_from("<Q", locator, 8)[0], tail_at + end - 76):
                file.seek(min(place, length))
                record = file.read(56)
                if record.startswith(b"PK\x06\x06") and len(record) == 56:
                    more, larger = struct.unpack_from("<QQ", record, 32)
                    count, size = max(count, more), max(size, larger)
        size = min(size, length)
        if count <= MAX_MEMBERS < size // HEADER:  # the number may be a lie
            file.seek(max(0, tail_at + end - 76 - size))
            count = max(count, _occurrences(file, b"PK\x01\x02"))
        return int(count)


def _occurrences(file: BinaryIO, what: bytes) -> int:
    """How often it occurs from here to the end."""
    count, kept = 0, b""
    while block := file.read(1 << 20):
        count += (kept + block).count(what)
        kept = block[1 - len(what) :]
    return count


def _too_many(root: Path, count: int) -> InputError:
    return InputError(
        f"the archive has more than {MAX_MEMBERS:,} members",
        where=str(root),
        why=f"it says {count:,}" if count > MAX_MEMBERS + 1 else "",
        do="split it, or unpack it into a folder",
    )
