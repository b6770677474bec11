import pytest

from difftool.plugin.spelling import nearest, one_slip


@pytest.mark.parametrize("slip", ["cp", "pu", "cu", "ccpu", "cpuu", "xcpu", "pcu", "cup", "gpu", "cpx", "cxu"])
def test_one_slip(slip):
    assert one_slip(slip, "cpu")
    assert one_slip("cpu", slip)


@pytest.mark.parametrize("other", ["cpu", "upc", "c", "cpuxx", "cxx", "pcx", "CPU", ""])
def test_no_slip(other):
    assert not one_slip(other, "cpu")
    assert not one_slip("cpu", other)


def test_nearest():
    assert nearest("samplr", ["sample", "sampler", "train"], "") == "did you mean 'sample' or 'sampler'?"
    assert nearest("X", ["T", "s", "name"], "") == "did you mean 'T' or 's'?"
    assert nearest("UNET", ["unet", "mlp"], "") == "did you mean 'unet'?"
    assert nearest("learning_rate", ["lr", "learn_rate"], "") == "did you mean 'learn_rate'?"
    assert nearest("qqq", ["b", "a_long_one"], "there are") == "there are a_long_one, b"
    assert nearest("qqq", [], "there are") == "there are none"
