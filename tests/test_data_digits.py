"""The digits are scikit-learn's, read without its seconds of import."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from snnbook.data import digits


def test_they_are_scikit_learns(monkeypatch):
    from sklearn.datasets import load_digits

    for there in (True, False):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "is_file", lambda path, there=there: there)
            scans, labels = digits._scans()
        expected = load_digits(return_X_y=True)
        assert np.array_equal(scans, expected[0]) and scans.dtype == expected[0].dtype
        assert np.array_equal(labels, expected[1]) and labels.dtype == expected[1].dtype
    names, images = digits.load(8)
    assert names == tuple(map(str, load_digits().target_names))
    assert images.images.shape == (digits.COUNT, 1, 8, 8)


def test_loading_them_imports_no_more_than_numpy():
    code = "import sys; from snnbook.data import digits; digits.load(8); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
