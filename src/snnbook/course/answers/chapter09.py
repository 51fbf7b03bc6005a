"""Checks of chapter 9: weight factorization."""

import torch

from snnbook.course.comparing import Wrong, call, function, truth


def reshaped_by_mistake(answer):
    def composed(weight, mixed=True):
        out, in_, k, _ = weight.shape
        matrices = weight.reshape(k, k, out, in_) if mixed else weight.permute(2, 3, 0, 1)
        u, s, v = torch.linalg.svd(matrices, full_matrices=False)
        return ((u * s.unsqueeze(-2)) @ v).permute(2, 3, 0, 1)

    function(
        answer,
        composed,
        [(torch.randn(6, 4, 3, 3),), (torch.randn(3, 5, 5, 5),), (torch.randn(4, 4, 1, 1),)],
        wrong={
            "that is the weight itself, as permuting gives it": lambda weight: composed(weight, False),
            "put together by a reshape, too, which undoes the first": lambda weight: weight.clone(),
        },
        within=1e-3,
    )


def could_they_have_shared(answer):
    for size in (3, 5, 8, 12):
        u, v, ours, theirs = torch.randn(4, size, size, dtype=torch.float64)
        a, s = torch.rand(2, size, dtype=torch.float64) + 0.1
        turned = torch.linalg.matrix_exp(ours - ours.T)  # its eigenvalues are complex, but for one
        cases = {
            "composed from shared factors": ((u * a) @ v, (u * s) @ v, True),
            "of shared factors, some singular values negative": ((u * a) @ v, (u * (s - 0.5)) @ v, True),
            "that have nothing in common": (theirs, turned @ theirs, False),
        }
        for name, (ann, snn, shared) in cases.items():
            found = truth(call(answer, ann, snn), "what your function returns")
            if found != shared:
                raise Wrong(f"for two matrices of {size} rows {name} your function says {found}")


def decay_three_times(answer):
    def shrinks_by(learning_rate, decay):
        u, s, v = (torch.tensor(x, dtype=torch.float64) for x in (0.7, 1.3, 0.2))
        step = 1 - learning_rate * decay
        return (step * u) * (step * s) * (step * v) / (u * s * v)

    function(
        answer,
        shrinks_by,
        [(0.1, 0.5), (0.5, 0.5), (0.05, 1.0)],
        wrong={
            "that is how a plain weight shrinks": lambda r, d: 1 - r * d,
            "that is true to first order only": lambda r, d: 1 - 3 * r * d,
            "there are three parts: U, V and the spectrum": lambda r, d: (1 - r * d) ** 2,
            "that is what is lost": lambda r, d: 1 - (1 - r * d) ** 3,
        },
    )


CHECKS = {"9.1": reshaped_by_mistake, "9.2": could_they_have_shared, "9.3": decay_three_times}
