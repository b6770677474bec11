"""What a scan tells the decoder of each file: how long it is, and how small it is wanted."""

import struct
import zipfile
from contextlib import closing

import pytest
from PIL import Image

from difftool.data import decode
from difftool.data.scan import Fit, read_all
from difftool.data.source import source_at
from tests.data import corpus


def quiet(done, total):
    pass


@pytest.fixture
def scanned(tmp_path):
    """Reads one JPEG, from a .zip."""

    def scan(content, fit):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("a.jpg", content)
        with closing(source_at(tmp_path / "a.zip")) as source:
            (read,) = read_all(source, fit, quiet)
        return read

    return scan


def test_a_jpeg_in_an_archive_that_promises_more_than_its_bytes_hold_is_cut_short(scanned):
    blank = corpus.saved(Image.new("L", (3000, 2000)), "JPEG", optimize=True)  # two bits a block: there is no smaller
    assert scanned(blank, Fit(16, 16)).size == (3000, 2000)
    at = blank.index(struct.pack(">HH", 2000, 3000))
    forged = scanned(blank[:at] + struct.pack(">HH", 3000, 4000) + blank[at + 4 :], Fit(16, 16))
    assert forged.pixels is None
    assert forged.reason.startswith("truncated")


def test_a_jpeg_too_large_to_decode_whole_is_read_where_it_is_wanted_small(scanned, monkeypatch):
    monkeypatch.setattr(decode, "MAX_PIXELS", 320 * 200 - 1)
    large = corpus.saved(corpus.plain(size=(320, 200)), "JPEG")
    small = scanned(large, Fit(20, 20))
    assert (small.reason, small.size) == ("", (320, 200))
    assert small.pixels.shape == (20, 20, 3)
    assert scanned(large, Fit(150, 150)).reason.startswith("too large")
