"""What the sink `tensorboard` writes, read with TensorBoard's own readers."""

import io
import math
import random
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from difftool.api import InputError, RunInfo
from difftool.builtin import tensorboard_file
from difftool.builtin.tensorboard import TensorBoard
from difftool.builtin.tensorboard_file import crc32c

TIME = 1_800_000_000.125
RFC_3720 = [  # section B.4
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
]


@pytest.mark.parametrize(("data", "check"), [(b"", 0), (b"a", 0xC1D04330), (b"123456789", 0xE3069283), *RFC_3720])
def test_the_checksum_of_published_vectors(data, check):
    assert crc32c(data) == check


@pytest.mark.parametrize("length", [*range(20), 63, 64, 65, 1021, 4096, 5000])
def test_the_checksum_is_that_of_one_bit_after_the_other(length):
    data, register = random.Random(length).randbytes(length), 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    assert crc32c(data) == register ^ 0xFFFFFFFF


class Run:
    """A run's folder, and one attempt after the other that writes there."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "previews").mkdir()
        (folder / "recipe.toml").write_text('name = "tïny"\n')

    def attempt(self, from_step=0, **fields):
        writer = TensorBoard(**fields).open(RunInfo(str(self.folder), "run", {}, 0, "cpu"))
        writer.event({"kind": "start", "time": TIME, "from_step": from_step})
        return writer

    def rows(self, writer, *steps, **numbers):
        for step in steps:
            writer.event({"kind": "metrics", "time": TIME + step, "step": step, "loss": 1 / step, **numbers})

    def preview(self, writer, step, size=(6, 4), **more):
        path = f"previews/step-{step:08d}.png"
        noise = np.random.default_rng(step).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(noise).save(self.folder / path)
        writer.event({"kind": "preview", "time": TIME + step, "step": step, "path": path, "seeds": "0-3", **more})
        return (self.folder / path).read_bytes()

    def files(self):
        return sorted(self.folder.glob("events.out.tfevents.*"))

    def read(self):
        return EventAccumulator(str(self.folder), {"scalars": 0, "images": 0, "tensors": 0}).Reload()

    def read_as_shown(self):
        """As the page of TensorBoard does: every value is a tensor there."""
        return plugin_event_accumulator.EventAccumulator(str(self.folder), {"tensors": 0}).Reload()


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def steps(reader, tag="loss"):
    return [each.step for each in reader.Scalars(tag)]


def test_every_number_of_a_row_is_a_scalar_in_single_precision(run):
    writer = run.attempt()
    row = {"images": 1280, "loss": 0.1, "loss_q": [0.4, None, 0.2, 0.1], "grad_norm": 1e300, "lr": 2e-4, "good": True}
    writer.event({"kind": "metrics", "time": TIME, "step": 10**10, **row, "ema_decay": None, "note": "words"})
    writer.close()
    reader = run.read()
    want = {"images": 1280, "loss": 0.1, "grad_norm": math.inf, "lr": 2e-4}
    want |= {"loss_quarters/1": 0.4, "loss_quarters/3": 0.2, "loss_quarters/4": 0.1}
    assert sorted(reader.Tags()["scalars"]) == sorted(want)
    for tag, value in want.items():
        (found,) = reader.Scalars(tag)
        single = math.inf if value == 1e300 else struct.unpack("<f", struct.pack("<f", value))[0]
        assert (found.step, found.wall_time, found.value) == (10**10, TIME, single)


def test_what_was_not_finite_is_nan_and_what_was_not_there_is_left_out(run):
    writer = run.attempt()
    lost = {"loss": None, "loss_q": [None, 1.0], "ema_decay": None, "nonfinite": ["loss", "loss_q"]}
    run.rows(writer, 1)
    run.rows(writer, 2, **lost)
    values = {tag: [each.value for each in run.read().Scalars(tag)] for tag in run.read().Tags()["scalars"]}
    assert sorted(values) == ["loss", "loss_quarters/1", "loss_quarters/2"]
    assert values["loss"][0] == 1
    assert math.isnan(values["loss"][1])
    assert math.isnan(values["loss_quarters/1"][0])
    assert values["loss_quarters/2"] == [1.0]
    writer.close()


def test_previews_are_the_same_bytes(run):
    writer = run.attempt()
    pictures = [run.preview(writer, 5), run.preview(writer, 10, (300, 200))]
    (run.folder / "previews/strip.png").write_bytes(pictures[0])
    again = run.preview(writer, 15, strip="previews/strip.png", raw="previews/gone.png")
    found = run.read().Images("preview/pictures")
    assert [each.encoded_image_string for each in found] == [*pictures, again]
    assert [(each.step, each.width, each.height) for each in found] == [(5, 6, 4), (10, 300, 200), (15, 6, 4)]
    assert Image.open(io.BytesIO(found[1].encoded_image_string)).size == (300, 200)
    assert [each.encoded_image_string for each in run.read().Images("preview/strip")] == [pictures[0]]
    assert sorted(run.read().Tags()["images"]) == ["preview/pictures", "preview/strip"]
    writer.close()


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(40)], ids=str)
def test_a_picture_that_is_gone_or_none_costs_nothing_else(run, content):
    writer = run.attempt()
    path = run.folder / "previews" / "step.png"
    if content is not None:
        path.write_bytes(content)
    writer.event({"kind": "preview", "time": TIME, "step": 1, "path": "previews/step.png"})
    run.rows(writer, 2)
    assert steps(run.read()) == [2]
    assert run.read().Tags()["images"] == []
    writer.close()


def test_pictures_can_be_left_out(run):
    writer = run.attempt(previews=False)
    run.preview(writer, 5)
    assert run.read().Tags()["images"] == []
    writer.close()


def test_the_recipe_is_a_text(run):
    run.attempt().close()
    (run.folder / "recipe.toml").write_text("changed = true\n")
    run.attempt(from_step=7).close()
    reader = run.read_as_shown()
    assert reader.SummaryMetadata("recipe").plugin_data.plugin_name == "text"
    texts = [(each.step, each.tensor_proto.string_val[0].decode()) for each in reader.Tensors("recipe")]
    assert texts == [(0, '```toml\nname = "tïny"\n\n```'), (8, "```toml\nchanged = true\n\n```")]


@pytest.mark.parametrize("last", ["numbers", "picture"])
def test_a_tail_torn_at_any_byte_leaves_all_that_was_before(run, last):
    writer = run.attempt()
    run.rows(writer, 1, 2)
    (path,) = run.files()
    whole = path.stat().st_size
    run.rows(writer, 3, lr=0.1) if last == "numbers" else run.preview(writer, 3)
    writer.close()
    content = path.read_bytes()
    assert [event.step for event in EventFileLoader(str(path)).Load()] == [0, 0, 0, 1, 2, 3]
    for length in range(whole, len(content)):
        path.write_bytes(content[:length])
        assert [event.step for event in EventFileLoader(str(path)).Load()] == [0, 0, 0, 1, 2]
    resumed = run.attempt(from_step=2)
    run.rows(resumed, 3, 4)
    resumed.close()
    assert steps(run.read()) == [1, 2, 3, 4]


def test_a_changed_byte_is_noticed(run):
    """Else the test before would pass without checksums."""
    writer = run.attempt()
    run.rows(writer, 1, 2)
    writer.close()
    (path,) = run.files()
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    assert steps(run.read()) == [1]


@pytest.mark.parametrize("from_step", [0, 4, 6])
@pytest.mark.parametrize("reading", ["read", "read_as_shown"])
def test_a_resumed_run_supersedes_the_steps_it_trains_again(run, from_step, reading):
    first = run.attempt()
    run.rows(first, 2, 4, 6, 8)
    run.preview(first, 4)
    run.preview(first, 8)
    first.close()
    second = run.attempt(from_step)
    run.rows(second, from_step + 3, more=0.5)
    second.close()
    reader = getattr(run, reading)()
    kept = [step for step in (2, 4, 6, 8) if step <= from_step]
    if reading == "read":
        assert steps(reader) == [*kept, from_step + 3]
        pictures = reader.Images("preview/pictures")
    else:
        assert [each.step for each in reader.Tensors("loss")] == [*kept, from_step + 3]
        pictures = reader.Tensors("preview/pictures")
        assert [each.step for each in reader.Tensors("recipe")] == ([0, from_step + 1] if from_step else [0])
    assert [each.step for each in pictures] == [step for step in (4, 8) if step <= from_step]


def test_resuming_twice_from_one_step_leaves_one_of_everything(run):
    for from_step, last in ((0, 9), (4, 7), (4, 8)):
        writer = run.attempt(from_step)
        run.rows(writer, *range(from_step + 1, last + 1))
        writer.close()
    assert steps(run.read()) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [each.step for each in run.read_as_shown().Tensors("recipe")] == [0, 5]


def test_files_are_read_in_the_order_they_were_written(run, monkeypatch):
    """Within one second, and when the clock was put back."""
    for now in (1_800_000_000.5, 1_800_000_000.9, 1_500_000_000.0):
        monkeypatch.setattr(tensorboard_file.time, "time", lambda now=now: now)
        count = len(run.files())
        run.attempt().close()
        assert len(run.files()) == count + 1
        assert run.files()[-1].stat().st_mtime_ns == max(path.stat().st_mtime_ns for path in run.files())
    assert [path.name.split(".")[3] for path in run.files()] == ["1800000000", "1800000001", "1800000002"]


def test_what_is_not_for_tensorboard_is_left_out(run):
    writer = run.attempt()
    size = run.files()[0].stat().st_size
    for kind in ("checkpoint", "log", "ack", "end", "system", "something new"):
        writer.event({"kind": kind, "time": TIME, "step": 3, "seconds": 0.5})
    assert run.files()[0].stat().st_size == size
    writer.close()


def test_a_folder_that_cannot_be_written_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write for TensorBoard") as refused:
        TensorBoard().open(RunInfo(str(tmp_path / "file"), "run", {}, 0, "cpu"))
    assert refused.value.why == "Not a directory"
    assert str(tmp_path / "file") in refused.value.render().splitlines()[0]


def test_writing_needs_nothing_that_is_not_installed_with_difftool(tmp_path):
    """And no torch either, until there is something to train."""
    code = (
        "import sys\n"
        "from difftool.api import RunInfo\n"
        "from difftool.builtin.tensorboard import TensorBoard\n"
        "assert 'numpy' not in sys.modules\n"
        f"writer = TensorBoard().open(RunInfo({str(tmp_path)!r}, 'run', {{}}, 0, 'cpu'))\n"
        "writer.event({'kind': 'metrics', 'time': 1.5, 'step': 1, 'loss': 2.0})\n"
        "writer.close()\n"
        "print(*{'tensorboard', 'google.protobuf', 'tensorflow', 'torch'} & {*sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "\n")
    assert steps(EventAccumulator(str(tmp_path)).Reload()) == [1]
