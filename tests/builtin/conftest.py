import pytest
import torch


@pytest.fixture(autouse=True)
def _the_same_numbers():
    """Networks begin with torch's own generator."""
    torch.manual_seed(0)
