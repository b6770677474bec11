"""Files that are no recipe, hostile ones included: one line, quickly. And how a recipe is found."""

import pytest

from difftool.errors import InputError
from difftool.recipe.load import load
from difftool.recipe.offered import shipped
from difftool.recipe.source import MAX_BYTES, find

from .conftest import END, RICH

DOTS = ".".join(["a"] * 20_000)

BAD = {
    "UTF-16": (RICH.encode("utf-16"), "is UTF-16; save it as UTF-8"),
    "UTF-16 big": (b"\xfe\xff" + RICH.encode("utf-16-be"), "is UTF-16"),
    "UTF-16 without mark": (RICH.encode("utf-16-le"), "mine.toml:1: "),
    "Latin-1": (
        RICH.replace("the only", "\xe9").encode("latin-1"),
        f"mine.toml:{RICH[: RICH.index('the only')].count(chr(10)) + 1}: byte 0xe9 is not UTF-8",
    ),
    "NUL": (RICH.encode() + b"\0", f"mine.toml:{END}: invalid statement: \0"),
    "binary": (bytes(range(256)) * 10, "mine.toml:"),
    "pickle": (b"\x80\x04\x95", "byte 0x80 is not UTF-8"),
    "too large": (b"#" * (MAX_BYTES + 1), "is too large; a recipe has at most 1048576 bytes"),
    "deep array": (b"x = " + b"[" * 5000 + b"]" * 5000, "mine.toml:1: not a recipe: arrays or tables are nested too"),
    "deep table": (b"x = " + b"{a=" * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
    "long number": (b"x = " + b"9" * 5000, "mine.toml:1: not a recipe: Exceeds the limit (4300 digits)"),
    "dotted key": (f"{DOTS} = 1".encode(), "mine.toml:1: a key with more than 32 dots"),
    "dotted quoted key": (
        f"x = 1\n{DOTS.replace('a', chr(34) + ',' + chr(34))} = 1".encode(),
        "mine.toml:2: a key wit",
    ),
    "dotted spaced key": (f"{DOTS.replace('.', ' . ')} = 1".encode(), "a key with more than 32 dots"),
    "dotted header": (f"[{DOTS}]".encode(), "a key with more than 32 dots"),
    "dotted table": (f"x = {{ {DOTS} = 1 }}".encode(), "a key with more than 32 dots"),
    "many keys": (
        "\n".join(f"k{i} = 1" for i in range(50_000)).encode(),
        "mine.toml:1: not a recipe: more than 2000 keys",
    ),
    "duplicate key": (b"recipe = 1\nrecipe = 1\n", "mine.toml:2: cannot overwrite a value: recipe = 1"),
    "duplicate section": (b"[log]\n[log]\n", "mine.toml:2: cannot declare ('log',) twice: [log]"),
    "unclosed text": (b'name = "x\n', "mine.toml:1: "),
    "unclosed array": (b"x = [1,\n\n", "mine.toml:2: "),
    "no value": (b"recipe = 1\nname =\n", "mine.toml:2: invalid value: name ="),
    "YAML": (b"name: x\n", "mine.toml:1: expected '=' after a key in a key/value pair: name: x"),
    "bare word": (b"recipe = 1\npredict = eps\n", "mine.toml:2: invalid value: predict = eps"),
}


@pytest.mark.parametrize("case", BAD)
def test_it_is_refused_in_one_line(refused, case):
    raw, said = BAD[case]
    (line,) = refused(raw)
    assert said in line
    assert len(line) < 400


@pytest.mark.parametrize("opening", ["[", "{a="])
def test_no_depth_escapes(refused, opening):
    closing = {"[": "]", "{a=": "}"}[opening]
    for depth in [*range(200, 500, 9), *range(300, 340)]:
        refused(f"x = {opening * depth}1{closing * depth}\n")


def test_a_byte_order_mark_and_windows_line_ends_are_fine(registry, file):
    file.write_bytes(b"\xef\xbb\xbf" + RICH.replace("\n", "\r\n").encode())
    assert load(str(file), registry).recipe("none")[0].name == "rich"


def test_decorations_are_no_dotted_keys(read):
    dots = "." * 80
    read(f"# {dots}\n{RICH}# 1.2.3.{dots}\n")
    read(RICH.replace("kinds = [", "# " + "0.1, " * 60 + "\nkinds = ["))


def test_terminal_codes_are_shown_not_sent(file, registry):
    file.write_text('recipe = 1\n"\\u001b[31mred" = 1\n')
    with pytest.raises(InputError) as caught:
        load(str(file), registry)
    assert "\x1b" not in caught.value.render()
    assert "\\x1b[31mred" in caught.value.render()


def test_lines_count_as_in_an_editor(refused):
    text = RICH.replace("mults = [1, 2]", "mults = [\n  1,\n  2,\n]").replace("keep = 3", "keep = 0")
    (line,) = refused(text)
    assert line.startswith(f"mine.toml:{text[: text.index('keep')].count(chr(10)) + 1}: checkpoint.keep")


def test_a_name_a_path_and_a_missing_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find("quickstart") == (shipped()["quickstart"], "")
    for text in ("recipes/quickstart.toml", "quickstart.toml"):
        path, note = find(text)
        assert path == shipped()["quickstart"]
        assert note == f"{text} is not here; using the recipe quickstart that ships with difftool"
    (tmp_path / "quickstart.toml").write_text("")
    path, note = find("quickstart.toml")
    assert (path.resolve(), note) == (tmp_path / "quickstart.toml", "")
    (tmp_path / "quickstart").mkdir()
    assert find("quickstart")[0] == shipped()["quickstart"]


def test_what_cannot_be_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there is no recipe quickstrat") as caught:
        find("quickstrat")
    assert "did you mean 'quickstart'?" in caught.value.why
    assert caught.value.do == "difftool recipes list"
    for text in ("else/quickstart.toml", "~nobody/x.toml", "x" * 40):
        with pytest.raises(InputError, match="there is no recipe"):
            find(text)
    with pytest.raises(InputError, match="is a folder, not a recipe"):
        find(str(tmp_path))


def test_the_note_is_told(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("recipes/quickstart.toml", registry).recipe("none")[1] == [
        "recipes/quickstart.toml is not here; using the recipe quickstart that ships with difftool"
    ]


def test_an_unreadable_file(registry, file, monkeypatch):
    from pathlib import Path

    file.write_text(RICH)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="cannot be read: Permission denied"):
        load(str(file), registry)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_says_what_it_is_and_is_good(name, registry):
    assert shipped()[name].read_text().startswith("# ")
    assert load(name, registry).recipe("none")[0].name == name
