"""What every data set that reads somebody's file owes when the file cannot be used."""

import pytest

from difftool.errors import InputError


def refused(data):
    """The same refusal from check() and open()."""
    with pytest.raises(InputError) as caught:
        data.check()
    with pytest.raises(InputError) as again:
        data.open()
    assert again.value.render() == caught.value.render()
    assert caught.value.exit_code == 2
    return caught.value
