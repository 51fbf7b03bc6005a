"""Checks of chapter 8: self-distillation with exits."""

import torch
import torch.nn.functional as F

from snnbook.course.comparing import function


def leave_early(answer):
    def leaves(exits, threshold):
        sure = exits.softmax(-1).amax(-1) > threshold
        sure[-1] = True
        return 1 + sure.int().argmax(0)

    def without_a_last(exits, threshold):
        return 1 + (exits.softmax(-1).amax(-1) > threshold).int().argmax(0)

    exits = 3 * torch.randn(4, 40, 10)
    function(
        answer,
        leaves,
        [(exits, 0.5), (exits, 0.9), (exits[:2], 0.99)],
        wrong={
            "exits count from 1": lambda *a: leaves(*a) - 1,
            "who is sure nowhere must leave at the last exit": without_a_last,
            "is it logits or probabilities that you compare?": lambda exits, threshold: (
                1
                + torch.cat([exits.amax(-1)[:-1] > threshold, torch.ones_like(exits[-1:, :, 0]) > 0])
                .int()
                .argmax(0)
            ),
        },
    )


def what_a_position_hears(answer):
    def slope(z, W, y, sizes=True):
        z = z.clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(z.mean((2, 3)) @ W.T, y), z)[0]

    z, W = torch.rand(6, 8, 5, 4, dtype=torch.float64), torch.randn(10, 8, dtype=torch.float64)
    function(
        answer,
        slope,
        [(z, W, torch.arange(6)), (z[:2, :3], W[:4, :3], torch.tensor([3, 0]))],
        wrong={
            "pooling divides by the number of positions": lambda z, W, y: z[0, 0].numel() * slope(z, W, y),
            "the mean over images divides by their number": lambda z, W, y: len(z) * slope(z, W, y),
        },
    )


def exits_of_a_trained_network(answer):
    def agreement(g, itself=False):
        unit = F.normalize(g, dim=-1)
        pairs, n = (unit @ unit.T).sum(), len(g)
        return pairs / n**2 if itself else (pairs - n) / (n * (n - 1))

    g = torch.randn(7, 12, dtype=torch.float64)
    function(
        answer,
        agreement,
        [(g + 0.6,), (g[:2],), (3 * g - 1,)],
        wrong={
            "each batch agrees with itself; leave those pairs out": lambda g: agreement(g, True),
            "that is the sum; divide by the number of pairs": lambda g: len(g) * (len(g) - 1) * agreement(g),
            "lengths must not count: a cosine is of unit vectors": lambda g: (
                ((g @ g.T).sum() - g.square().sum()) / (len(g) * (len(g) - 1))
            ),
        },
    )


CHECKS = {"8.1": leave_early, "8.2": what_a_position_hears, "8.3": exits_of_a_trained_network}
