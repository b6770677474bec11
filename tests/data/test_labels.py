"""What is known of pictures: from folders, or from labels.csv. Nothing is decoded here."""

import io
import os
import tarfile
import zipfile

import pytest

from difftool.data.labels import known_of
from difftool.data.source import source_at
from difftool.errors import InputError


def put(root, *names, table=None, at="labels.csv"):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    if table is not None:
        (root / at).parent.mkdir(parents=True, exist_ok=True)
        (root / at).write_bytes(table if isinstance(table, bytes) else table.encode())
    return root


def known(path):
    source = source_at(path)
    try:
        return known_of(source)
    finally:
        source.close()


def labels(path):
    return known(path).values.get("label")


def refused(path, table):
    put(path, "a.png", "b.png", table=table)
    with pytest.raises(InputError) as caught:
        known(path)
    assert caught.value.where == str(path / "labels.csv")
    return caught.value


def test_the_first_folder_is_the_label(tmp_path):
    put(tmp_path, "cats/1.png", "cats/deep/er/2.png", "dogs/1.png", "ünï côdé/猫.png")
    assert labels(tmp_path) == ["cats", "cats", "dogs", "ünï côdé"]


def test_files_beside_the_folders_have_no_label(tmp_path):
    put(tmp_path, "a.png", "cats/1.png", "dogs/1.png", "z.png")
    assert labels(tmp_path) == [None, "cats", "dogs", None]


def test_names_that_are_no_text_are_written_out(tmp_path):
    put(tmp_path, os.fsdecode(b"bl\xe5/1.png"), "rød/1.png", "røde \n/1.png")
    found = labels(tmp_path)
    assert sorted(found) == [r"bl\xe5", "rød", "røde \n"]
    assert "".join(found).encode()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["train/1.png", "val/1.png"], "train and val"),
        (["all/Test/1.png", "all/train/cats/1.png", "all/validation/1.png"], "Test, train and validation"),
        (["train/1.png", "val/1.png", "cats/1.png"], None),
        (["train/cats/1.png", "train/test/1.png"], None),
        (["train/1.png", "train/2.png"], None),
    ],
)
def test_the_parts_of_a_divided_set_are_hardly_labels(tmp_path, names, told):
    notes = known(put(tmp_path, *names)).notes
    wanted = f"the labels are {told}: point data.path at one of them, or are they what you mean?"
    assert notes == ((wanted,) if told else ())


@pytest.mark.parametrize("names", [["a.png", "b.png"], ["cats/a.png", "cats/b.png"], ["a.png", "cats/b.png"]])
def test_one_folder_alone_tells_nothing(tmp_path, names):
    assert known(put(tmp_path, *names)).values == {}


def test_shared_folders_tell_nothing(tmp_path):
    put(tmp_path, "data/train/cats/1.png", "data/train/dogs/2/3.png", "data/train/x.png", "data/readme.txt")
    assert labels(tmp_path) == ["cats", "dogs", None]


def test_folders_that_begin_alike_are_not_shared(tmp_path):
    assert labels(put(tmp_path, "cat/1.png", "cats/1.png")) == ["cat", "cats"]


def test_the_top_folder_of_an_archive_tells_nothing(tmp_path):
    names = ["pets/cats/1.png", "pets/dogs/1.png"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in names:
            member = tarfile.TarInfo("./" + name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
    assert labels(tmp_path / "a.zip") == labels(tmp_path / "a.tar") == ["cats", "dogs"]


@pytest.mark.parametrize(
    "table",
    [
        "file,label\ncats/1.png,Tom\n2.png,Rex\n",
        "file,label\r\ncats/1.png,Tom\r\n2.png,Rex\r\n",
        "\ufefffile,label\n\n./cats/1.png, Tom \n\n2.png,Rex",
        '"file","label"\n"2.png","Rex"\n"cats/1.png","Tom"\n',
        " file , label \n2.png,Rex\ncats/1.png,Tom\n\n\n",
    ],
)
def test_a_table_stands_over_folders(tmp_path, table):
    found = known(put(tmp_path, "2.png", "cats/1.png", "dogs/3.png", table=table))
    assert found.values == {"label": ["Rex", "Tom", None]}
    (note,) = found.notes
    assert note.startswith("1 picture is not in labels.csv")


def test_names_are_found_however_their_signs_are_composed(tmp_path):
    """macOS writes an e and an accent, a spreadsheet one sign for both; and people leave blanks at the end."""
    root = put(tmp_path, "cafe\u0301.png", "b.png", table="file,label\ncaf\u00e9.png,x\nb.png ,y\n")
    assert known(root).values == {"label": ["y", "x"]}
    (root / "labels.csv").rename(root / "LABELS.CSV")
    assert known(root).values == {"label": ["y", "x"]}


def test_a_table_that_is_no_file_is_refused(tmp_path):
    root = put(tmp_path, "a/1.png", "b/2.png")
    (root / "a" / "labels.csv").symlink_to("nowhere")  # not beside all pictures: nobody would have used it
    assert known(root).values == {"label": ["a", "b"]}
    (root / "labels.csv").symlink_to("nowhere")
    with pytest.raises(InputError, match="the table of labels cannot be read"):
        known(root)


def test_columns_become_keys_and_empty_cells_nothing(tmp_path):
    table = 'file,label,caption,größe\na.png,cat,"black, with a ""white"" tip\nand two lines",\nb.png,, ,3\n'
    found = known(put(tmp_path, "a.png", "b.png", table=table))
    assert found.values == {
        "label": ["cat", None],
        "caption": ['black, with a "white" tip\nand two lines', None],
        "größe": [None, "3"],
    }
    assert found.notes == ()


def test_rows_that_name_nothing_are_told(tmp_path):
    found = known(put(tmp_path, "a.png", table="file,label\na.png,1\ngone.png,2\n../a.png,3\nA.png,4\n"))
    assert found.values == {"label": ["1"]}
    assert found.notes == ("3 of 4 lines of labels.csv name no picture here, such as gone.png",)


def test_where_no_row_fits_a_picture_is_shown(tmp_path):
    found = known(put(tmp_path, "cats/0.png", table="file,label\ncats\\0.png,1\n"))
    assert found.notes[0] == "1 of 1 lines of labels.csv name no picture here, such as cats\\0.png; there is cats/0.png"


@pytest.mark.parametrize("between", [";", "\t"])
def test_a_table_as_spreadsheets_write_it(tmp_path, between):
    table = 'file,label,size\na.png,cat,"1,5"\n'.replace(",", between).replace(f"1{between}5", "1,5")
    assert known(put(tmp_path, "a.png", table=table)).values == {"label": ["cat"], "size": ["1,5"]}


@pytest.mark.parametrize(
    ("names", "at"),
    [
        (["a.png", "s/b.png"], "labels.csv"),
        (["data/a.png", "data/s/b.png"], "data/labels.csv"),
        (["data/images/a.png", "data/images/b.png"], "data/labels.csv"),
        (["data/images/a.png", "data/images/b.png"], "labels.csv"),
    ],
)
def test_a_table_may_lie_beside_all_pictures_or_above(tmp_path, names, at):
    folder = at.removesuffix("labels.csv")
    table = "file,label\n" + "".join(f"{name.removeprefix(folder)},{i}\n" for i, name in enumerate(names))
    found = known(put(tmp_path, *names, table=table, at=at))
    assert found.values == {"label": ["0", "1"]}
    assert found.notes == ()


def test_the_uppermost_table_counts_and_others_are_told(tmp_path):
    put(tmp_path, "d/a/1.png", "d/b/2.png", table="file,label\nd/a/1.png,one\nd/b/2.png,two\n")
    put(tmp_path, table="nonsense", at="d/labels.csv")
    put(tmp_path, table="nonsense", at="d/a/labels.csv")
    found = known(tmp_path)
    assert found.values == {"label": ["one", "two"]}
    assert found.notes == ("not used: d/a/labels.csv, d/labels.csv; labels.csv lies beside all pictures or above",)
    (tmp_path / "labels.csv").unlink()
    (tmp_path / "d" / "labels.csv").unlink()
    found = known(tmp_path)
    assert found.values == {"label": ["a", "b"]}
    assert found.notes[0].startswith("not used: d/a/labels.csv;")


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("file,label\na.png,1\nb.png,2\na.png,1\n", "line 4 names a.png again"),
        ("file,label\na.png,1\n./a.png,1\n", "line 3 names ./a.png again"),
        ("file,label\na.png,1\nb.png\n", "line 3 has 1 cells, not 2"),
        ("file,label\na.png,1\n\n\nb.png,2,\n", "line 5 has 3 cells, not 2"),
        ('file,label\na.png,"1\n2"\nb.png\n', "line 4 has 1 cells, not 2"),
        ("", "the first line is ''"),
        ("file\na.png\n", "the first line is 'file'"),
        ("a.png,cat\n", "the first line is 'a.png,cat'"),
        ("label,file\n", "the first line is 'label,file'"),
        ("file,\n", "the first line is 'file,'"),
        ("file,two words\n", "the first line is 'file,two words'"),
        ("file,label,label\n", "the first line names a column twice"),
        (b"file,label\na.png,1\nb.png,\xff\xfe\n", "line 3 is not UTF-8"),
        ("file,label\n".encode("utf-16"), "line 1 is not UTF-8"),
        ('file,label\na.png,1\nb.png,"2"3\n', "line 3 is not as in a table"),
        ('file,label\na.png,"1\n', "line 2 is not as in a table"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, table, what):
    error = refused(tmp_path, table)
    assert error.what == what
    assert len(error.render().splitlines()) <= 3


def test_a_picture_in_place_of_the_table(tmp_path):
    error = refused(tmp_path, b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    assert error.what == "line 1 is not UTF-8"


def test_a_damaged_table_in_an_archive(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", b"x")
        archive.writestr("labels.csv", "file,label\na.png,1\n")
    path.write_bytes(path.read_bytes().replace(b"a.png,1", b"a.png,2"))
    with pytest.raises(InputError, match="the table of labels cannot be read") as caught:
        known(path)
    assert caught.value.where == f"{path}/labels.csv"


def test_a_table_that_goes_away(tmp_path):
    source = source_at(put(tmp_path, "a.png", table="file,label\na.png,1\n"))
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(InputError, match="the table of labels cannot be read"):
        known_of(source)


def test_a_table_too_large_is_not_read(tmp_path):
    put(tmp_path, "a.png", table="")
    with (tmp_path / "labels.csv").open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(InputError, match="larger than 64 MiB"):
        known(tmp_path)
