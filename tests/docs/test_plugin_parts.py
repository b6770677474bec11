"""The parts that docs/plugins.md and write-a-sampler.md show are right: each against a closed form."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from difftool.builtin.schedules import Cosine, Linear
from difftool.core.sampling import walk
from difftool.core.schedule import Schedule
from difftool.core.target import coefficients
from difftool.core.types import Noised, Spec
from difftool.errors import InputError
from difftool.testing.oracles import Gaussian, Point

from .extract import files, page, write

FILES = files(page("write-a-sampler.md")) | files(page("plugins.md"))


def module(name, tmp_path_factory):
    """One of the page's modules, imported from where the page puts it."""
    path = tmp_path_factory.getbasetemp() / "modules" / name
    write({name: FILES[name]}, path.parents[len(Path(name).parts) - 1])
    spec = importlib.util.spec_from_file_location(path.stem, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def dpm(tmp_path_factory):
    return module("difftool-dpm2m/src/difftool_dpm2m/__init__.py", tmp_path_factory).DPM2M


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    return module("difftool-flow/difftool_flow.py", tmp_path_factory).Flow


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_the_sampler_lands_on_data_of_one_picture(dpm, flow, steps):
    for component in (Linear(), Cosine(), flow(T=100), flow(T=100, shift=3.0)):
        schedule = component.build()
        oracle = Point(schedule, 0.3)
        sampler = dpm()
        *_, last = walk(sampler, oracle, sampler.times(schedule, steps), lambda: torch.ones(1, 1, 2, 2).double())
        assert torch.allclose(last.x, torch.full_like(last.x, 0.3), atol=1e-12)


@pytest.mark.parametrize("shift", [None, 1.0, 3.0])
def test_the_sampler_beats_ddim(dpm, flow, shift):
    schedule = (Cosine() if shift is None else flow(shift=shift)).build()
    oracle = Gaussian(schedule, 0.5, 0.2)
    z = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(9, 1, 1, 1)

    def end(sampler, steps):
        *_, last = walk(sampler, oracle, sampler.times(schedule, steps), lambda: z)
        return last.x

    # The flow of a Gaussian's probabilities is known: quantiles stay quantiles.
    truth = end(dpm(), 1000)
    assert torch.allclose(truth, 0.5 + 0.2 * z, atol=0.02)
    ours, ddim = ((end(sampler, 20) - truth).abs().max() for sampler in (dpm(), dpm(look_back=0)))
    assert ours < ddim / 3


def test_the_flow_is_straight_and_its_shift_bends_it(flow):
    schedule = flow(T=10).build()
    assert torch.allclose(schedule.sigma, torch.arange(11).double() / 10)
    assert torch.allclose(schedule.alpha + schedule.sigma, torch.ones(11).double())
    alpha, sigma = schedule.at(2.5)
    assert (float(alpha), float(sigma)) == (0.75, 0.25)
    bent = flow(T=10, shift=3.0).build()
    assert float(bent.sigma[5]) == pytest.approx(3 * 0.5 / (1 + 2 * 0.5))  # equation 23 of the paper
    for shift in (0.1, 1.1, 3.0, 7.7):
        ends = flow(shift=shift).build()
        assert (float(ends.alpha[-1]), float(ends.sigma[-1])) == (0, 1)


def test_the_loss_places_levels_as_it_says(tmp_path_factory, flow):
    loss = module("difftool-middle/difftool_middle.py", tmp_path_factory).Middle(mean=-0.5, std=0.7)
    u = (torch.arange(10_000).double() + 0.5) / 10_000
    for component in (Linear(), flow(T=1000)):
        schedule = component.build()
        alpha, sigma = schedule.at(loss.levels(u, schedule))
        logs = (sigma / alpha).log()
        assert float(logs.mean()) == pytest.approx(-0.5, abs=0.01)
        assert float(logs.std()) == pytest.approx(0.7, abs=0.01)
        ends = loss.levels(torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64), schedule)
        assert ((ends >= 1) & (ends <= schedule.T)).all()
    one = torch.ones(2, 1, 1, 1)
    noised = Noised(one, one, one, one, one, one.double(), one, one, 3 * one, {}, schedule)
    assert loss(3 * one, noised).tolist() == [4, 4]
    assert loss.model_copy(update={"of": "picture"})(3 * one, noised).tolist() == [36, 36]


def test_the_target_is_karras_table_1(tmp_path_factory, flow):
    target = module("difftool-unit/difftool_unit.py", tmp_path_factory).Unit(sigma_data=0.5)
    sigma = torch.tensor([0.0, 0.1, 0.7, 5.0], dtype=torch.float64)
    schedule = Schedule(torch.ones(4, dtype=torch.float64), sigma)
    c = coefficients(target, schedule, torch.arange(1, 4))
    power = sigma[1:] ** 2 + 0.25
    assert torch.allclose(c.skip, 0.25 / power)
    assert torch.allclose(c.out, sigma[1:] * 0.5 / power.sqrt())
    assert torch.allclose(c.scale, 1 / power.sqrt())
    for component in (Linear(), flow()):
        schedule = component.build()
        c = coefficients(target, schedule, torch.arange(1, schedule.T + 1))
        assert torch.allclose((c.of_x0 * 0.5) ** 2 + c.of_eps**2, torch.ones(1).double())
        assert torch.allclose(c.scale**2 * ((c.alpha * 0.5) ** 2 + c.sigma**2), torch.ones(1).double())


def test_the_network_sees_as_far_as_it_says(tmp_path_factory):
    net = module("difftool-convs/difftool_convs/net.py", tmp_path_factory).Network(8, 3, Spec(3, 6, 16, 16, 10, {}))
    torch.nn.init.ones_(net.leave.weight)
    x = torch.zeros(1, 3, 16, 16, requires_grad=True)
    for layer in net.layers:
        layer.norm = torch.nn.Identity()  # whose statistics are of the whole picture
    answer = net(x, torch.zeros(1), {})
    assert answer.shape == (1, 6, 16, 16)
    answer[0, 0, 0, 0].backward()
    seen = x.grad.abs().sum(1)[0].nonzero()
    assert seen.max() == 7


def test_the_pictures_are_stripes_and_always_the_same(tmp_path_factory):
    stripes = module("difftool-stripes/difftool_stripes.py", tmp_path_factory).Stripes(size=8, count=5)
    images = stripes.open()
    pixels = images.take([3, 1, 3])
    assert pixels.shape == (3, 8, 8, 1)
    assert pixels.dtype == np.uint8
    assert (pixels[0] == pixels[2]).all()
    assert (pixels[1] == stripes.open().take([1])[0]).all()
    assert len(images) == 5
    assert len(images.values([0, 4])["angle"]) == 2


def test_the_folder_of_two_parts_is_read_as_it_says(tmp_path_factory, tmp_path):
    splits = module("difftool-splits/difftool_splits.py", tmp_path_factory).Splits
    for part, name, value in (("train", "n02", 20), ("train", "n01", 10), ("train", "n03", 30), ("val", "n01", 40)):
        (tmp_path / part / name).mkdir(parents=True)
        Image.new("RGB", (9, 9), (value, value, value)).save(tmp_path / part / name / "a.png")
    (tmp_path / "words.txt").write_text("n01 polar bear\nn02 cat\n")
    assert splits.reads(tmp_path)
    assert not splits.reads(tmp_path / "train")
    assert not splits.reads(tmp_path / "words.txt")
    data = splits(path=tmp_path, size=8)
    data.check()
    images = data.open()
    assert images.take([0, 1, 2])[:, 0, 0, 0].tolist() == [10, 20, 30]
    assert images.values([0, 1, 2]) == {"label": ["polar bear", "cat", "n03"]}
    other = splits(path=tmp_path, size=8, split="val").open()  # one folder alone tells nothing
    assert other.take([0])[0, 0, 0].tolist() == [40, 40, 40]
    assert other.values([0]) == {"label": [None]}
    with pytest.raises(InputError, match="does not exist"):
        splits(path=tmp_path / "val" / "n01", size=8)._files().check()
    with pytest.raises(InputError, match="the names of the classes cannot be read"):
        splits(path=tmp_path / "val").check()


def test_the_parts_without_a_command_work(tmp_path_factory, tmp_path):
    soon = module("difftool-soon/difftool_soon.py", tmp_path_factory)
    amount = soon.Amount().fit(iter([3, 1, 2]))
    assert (amount.low, amount.high, amount.shape) == (1, 3, (2,))
    assert [amount.encode(value).tolist() for value in (1, 2, 3)] == [[1, 0], [1, 0.5], [1, 1]]
    assert amount.null.tolist() == [0, 0]
    assert soon.Amount(low=0.0).fit([3, 1]).low == 0

    class Fake:
        net = torch.nn.Linear(2, 1)

        def sample(self, seeds):
            return torch.full((len(seeds), 4, 4, 1), 100, dtype=torch.uint8)

    class Pictures:
        def __len__(self):
            return 10

        def take(self, indices):
            return np.full((len(indices), 4, 4, 1), 90, dtype=np.uint8)

    assert soon.Brightness().measure(Fake(), Pictures(), lambda done, total: None) == {"brightness_gap": 10}
    soon.Npz().write(Fake(), tmp_path / "weights.npz")
    assert sorted(np.load(tmp_path / "weights.npz")) == ["bias", "weight"]
    with pytest.raises(InputError, match="no recipe"):
        soon.Npz().read(tmp_path / "weights.npz")
