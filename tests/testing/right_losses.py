"""Losses that are right."""

from difftool.api import Loss


def mean(error):
    return error.square().flatten(1).mean(1)


class Right(Loss):
    """The error of x0, weighted with min(SNR, 5)."""

    def __call__(self, output, noised):
        snr = (noised.alpha / noised.sigma) ** 2
        return (snr.clamp(max=5)[:, 0, 0, 0]) * mean(noised.gain * (output - noised.target))


class RightPair(Loss):
    """Also learns how large its own errors are."""

    outputs = 2

    def __call__(self, output, noised):
        answer, width = output.chunk(2, dim=1)
        error = (answer - noised.target).square()
        return (error + (error.detach() - width.square()).square()).flatten(1).mean(1)
