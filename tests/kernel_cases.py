"""What the tests of all kernels share: every surrogate, and one run forward and back."""

import torch

from snnbook import surrogates

SURROGATES = [
    surrogates.Rectangle(0.8),  # not 1, which hides factors; nor 2, ATan's
    surrogates.Triangle(0.7),
    surrogates.RelativeTriangle(1.5, 0.5),
    surrogates.Sigmoid(4.0),
    surrogates.ATan(3.0),
    surrogates.DSpike(3.0),
]


def run(kernel, current, dynamics, decay, weight):
    current = current.detach().clone().requires_grad_()
    decay = decay.detach().clone().requires_grad_() if isinstance(decay, torch.Tensor) else decay
    spikes = kernel(current, dynamics, decay)
    (spikes * weight).sum().backward()
    return spikes.detach(), current.grad, getattr(decay, "grad", None)
