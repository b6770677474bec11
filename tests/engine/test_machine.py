"""Reading the machine: NVML recorded as an object, because no GPU may be here; everything else is real."""

import sys
import threading
from types import SimpleNamespace

import pytest

from difftool.engine.machine import Gauges, Machine
from difftool.engine.nvidia import FIELDS, NoGPUError, Nvidia, nvidia, why_not


class NVMLError(Exception):
    """As pynvml's: a code, and the driver's own words."""

    def __init__(self, value):
        super().__init__(f"Code {value}")
        self.value = value


class Recorded:
    """NVML's answers for two GPUs, taken down once; `fails` says which call fails, and with which code."""

    NVML_TEMPERATURE_GPU = 0

    def __init__(self, fails=None, divided=False, count=2):
        self.fails, self.divided, self.count, self.open = fails or {}, divided, count, 0

    def __getattribute__(self, name):
        fails = object.__getattribute__(self, "__dict__").get("fails", {})
        if name.startswith("nvml") and (code := fails.get(name, fails.get("*"))):

            def failing(*_):
                raise NVMLError(code)

            return failing
        return object.__getattribute__(self, name)

    def nvmlInit(self):
        self.open += 1

    def nvmlShutdown(self):
        self.open -= 1

    def nvmlDeviceGetCount(self):
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index):
        return f"handle {index}"

    def nvmlDeviceGetName(self, gpu):
        return b"NVIDIA H100 80GB HBM3" if gpu == "handle 0" else "NVIDIA H100 80GB HBM3"

    def nvmlDeviceGetUtilizationRates(self, gpu):
        return SimpleNamespace(gpu=97, memory=41)

    def nvmlDeviceGetMemoryInfo(self, gpu):
        return SimpleNamespace(total=85520809984, free=84949598208, used=571211776)

    def nvmlDeviceGetPowerUsage(self, gpu):
        return 312500

    def nvmlDeviceGetEnforcedPowerLimit(self, gpu):
        return 700000

    def nvmlDeviceGetTemperature(self, gpu, sensor):
        assert sensor == self.NVML_TEMPERATURE_GPU
        return 54

    def nvmlDeviceGetMigMode(self, gpu):
        return [int(self.divided), int(self.divided)]


CALLS = {
    "nvmlDeviceGetName": {"name"},
    "nvmlDeviceGetUtilizationRates": {"used"},
    "nvmlDeviceGetMemoryInfo": {"memory", "memory_total"},
    "nvmlDeviceGetPowerUsage": {"power"},
    "nvmlDeviceGetEnforcedPowerLimit": {"power_limit"},
    "nvmlDeviceGetTemperature": {"temperature"},
    "nvmlDeviceGetHandleByIndex": set(FIELDS),
}


def no_gpu():
    raise NoGPUError("no NVIDIA driver on this machine")


def test_every_gpu_is_read_in_the_units_of_the_page():
    first, second = Nvidia(Recorded()).read()
    assert first == {
        "index": 0, "name": "NVIDIA H100 80GB HBM3", "used": 0.97, "memory": 571211776, "memory_total": 85520809984,
        "power": 312.5, "power_limit": 700.0, "temperature": 54,
    }  # fmt: skip
    assert second == first | {"index": 1}


@pytest.mark.parametrize(
    ("code", "words"), [(3, "not supported"), (4, "no permission"), (15, "lost"), (999, "Code 999")]
)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails_leaves_a_reason_and_the_rest(call, code, words):
    found = Nvidia(Recorded({call: code})).read()[0]
    assert {key for key in FIELDS if found[key] is None} == CALLS[call]
    assert found["absent"].keys() == CALLS[call]
    assert all(words in reason for reason in found["absent"].values())


def test_a_gpu_that_is_divided_says_so():
    nvml = Recorded({"nvmlDeviceGetUtilizationRates": 3, "nvmlDeviceGetPowerUsage": 4}, divided=True)
    absent = Nvidia(nvml).read()[0]["absent"]
    assert absent == {"used": "not told of a GPU that is divided (MIG)", "power": "no permission to ask for it"}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (12, "no NVIDIA driver on this machine"),
        (9, "the NVIDIA driver is not loaded"),
        (4, "no permission to ask for it"),
        (18, "the NVIDIA driver was updated: restart the machine"),
        (999, "Code 999"),
    ],
)
def test_a_driver_that_cannot_be_asked_is_a_reason(tmp_path, code, reason):
    found = Gauges(tmp_path, lambda: Nvidia(Recorded({"*": code}))).read()
    assert found["gpus"] is None
    assert found["absent"]["gpus"] == reason


def test_a_driver_without_gpus_is_a_reason(tmp_path):
    assert "no GPU" in Gauges(tmp_path, lambda: Nvidia(Recorded(count=0))).read()["absent"]["gpus"]


def test_a_library_that_is_missing_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(sys, "platform", "linux")
    absent = Gauges(tmp_path).read()["absent"]
    assert absent["gpus"].startswith("nvidia-ml-py cannot be loaded")
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NoGPUError, match="Apple GPU"):
        nvidia()


def test_without_psutil_the_disk_is_still_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    found = Gauges(tmp_path, no_gpu).read()
    assert found["disk_free"] > 0
    for key in ("cpu", "cores", "memory", "memory_total", "process"):
        assert found[key] is None
        assert found["absent"][key].startswith("psutil cannot be loaded")


def test_this_machine_is_read(tmp_path):
    import os

    gauges = Gauges(tmp_path, no_gpu)
    first, second = gauges.read(), gauges.read()
    assert first["cpu"] is None
    assert "a second after" in first["absent"]["cpu"]
    assert 0 <= second["cpu"] <= 1
    assert second["cores"] == os.cpu_count()
    assert 0 < second["process"] < second["memory_total"]
    assert 0 < second["memory"] < second["memory_total"]
    assert 0 < second["disk_free"] < second["disk_total"]
    assert second["absent"] == {"gpus": "no NVIDIA driver on this machine"}


def test_a_folder_that_is_gone_is_a_reason(tmp_path):
    found = Gauges(tmp_path / "gone", no_gpu).read()
    assert found["disk_free"] is None
    assert "No such file" in found["absent"]["disk_free"]


def test_events_come_until_the_end_and_none_after(tmp_path):
    nvml, events, enough = Recorded(), [], threading.Event()

    def note(kind, **fields):
        events.append((kind, fields))
        if len(events) == 3:
            enough.set()

    with Machine(tmp_path, note, lambda: Nvidia(nvml), every=0.01) as machine:
        assert enough.wait(60)
    assert {kind for kind, _ in events} == {"system"}
    assert [gpu["index"] for gpu in events[0][1]["gpus"]] == [0, 1]
    assert not machine._thread.is_alive()
    assert nvml.open == 0, "NVML is given back"


@pytest.mark.parametrize("where", ["note", "gpus"])
def test_nothing_is_raised_into_the_training(tmp_path, where):
    told = threading.Event()
    heard = []

    def note(kind, **fields):
        heard.append((kind, fields))
        told.set()
        if where == "note" and kind == "system":
            raise RuntimeError("the log is on fire")

    def gpus():
        if where == "gpus":
            raise ValueError("who knows")
        return Nvidia(Recorded())

    with Machine(tmp_path, note, gpus, every=0.01) as machine:
        assert told.wait(60)
        if where == "note":
            machine._thread.join(60)
    if where == "note":
        assert heard[1] == (
            "log", {"level": "warning", "message": "the machine is no longer watched: the log is on fire"},
        )  # fmt: skip
    else:
        assert heard[0][1]["absent"]["gpus"] == "who knows"


def test_a_driver_that_hangs_does_not_hold_the_end_up(tmp_path):
    hung, events = threading.Event(), []

    def gpus():
        hung.wait(60)
        raise NoGPUError("too late")

    with Machine(tmp_path, lambda *args, **fields: events.append(args), gpus) as machine:
        pass
    assert machine._thread.is_alive(), "the end came while the driver was still silent"
    hung.set()
    machine._thread.join(60)
    assert events == [], "what comes after the end is not written"


def test_reasons_are_never_empty():
    assert why_not(ValueError()) == "ValueError"
    assert why_not(NVMLError(4)) == "no permission to ask for it"
