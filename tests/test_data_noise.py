"""Wrong labels, exactly as many as asked for."""

import torch

from bad_input import one_line
from snnbook import data
from snnbook.data import DataConfig
from snnbook.data.noise import symmetric_noise


def test_noise_is_exact_symmetric_and_nested():
    labels = torch.arange(10).repeat(100)
    some, more = (symmetric_noise(labels, 10, share, seed=3) for share in (0.2, 0.5))
    assert (some != labels).sum() == 200
    assert (more != labels).sum() == 500
    assert torch.equal(more[some != labels], some[some != labels])
    shifts = ((more - labels) % 10)[more != labels].bincount(minlength=10)
    assert shifts[0] == 0
    assert shifts[1:].min() > 30  # of 55.6 expected
    assert torch.equal(symmetric_noise(labels, 10, 0.0, seed=3), labels)
    assert torch.equal(symmetric_noise(labels, 10, 0.2, seed=3), some)


def test_a_seed_that_is_none():
    for seed in (-1, 2**32, 1.5, None):
        one_line(lambda seed=seed: symmetric_noise(torch.arange(10), 10, 0.5, seed), "seed is")


def test_noise_is_part_of_the_data():
    clean, noisy = (
        data.load(DataConfig(size=8, train_per_class=20, label_noise=share)) for share in (0.0, 0.3)
    )
    assert (clean.train_labels != noisy.train_labels).sum() == 60
    assert torch.equal(clean.test_labels, noisy.test_labels)
    assert torch.equal(clean.train_images, noisy.train_images)
    assert clean.fingerprint != noisy.fingerprint
