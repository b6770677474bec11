"""One torch thread: two that wait for each other on a busy machine are fifty times slower on tensors this small."""

import torch

torch.set_num_threads(1)
