#!/usr/bin/env bash
# tonic's AddNoise(snr=...) gives twice the decibels, less the difference of levels: "10 dB" is 20, or -20.
#
# Guess:   (written down first, after a look at the source) snr is the signal to noise ratio in dB, as documented:
#          at 10 the noise has a tenth of the signal's power, however loud signal and noise were recorded.
# Seen:    the ratio of powers is used as a factor of amplitudes.  What comes out is 2 snr + 10 log10(noise power
#          / signal power) dB.  For noise as loud as the signal, -10, 0, 10, 20 become -20, 0, 20, 40.  For noise
#          recorded 20 dB below the signal they are -40, -20, 0, 20: at "10 dB" the noise is as loud as the
#          speech, and the quieter a noise was recorded, the louder it is mixed in.  Signal in 16-bit whole
#          numbers with noise in -1 ... 1: -64 dB, of the signal nothing is left.  No warning; the result is
#          normed, so that it looks like any other.
# With:    tonic 1.7.0, numpy 2.4.6
# Matters: a curve of accuracy over signal to noise ratio has a wrong axis, a fixed snr is another for each file
#          of noise, and training with "10 dB" may be training on noise.  Instead: scale the noise by the root,
#          (signal power / noise power * 10 ** (-snr / 10)) ** 0.5, yourself.
#
# Runs in a temporary folder.  FINDINGS_VENV=<a venv, or its python, with these packages> skips the installation.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export OMP_NUM_THREADS=1
python=${FINDINGS_VENV:-}
if [ -d "$python" ]; then
    python=$python/bin/python
fi
if [ -z "$python" ]; then
    "${UV:-uv}" venv -q --python 3.11 venv
    python=$work/venv/bin/python
    "${UV:-uv}" pip install -q -p "$python" tonic==1.7.0 numpy==2.4.6 scipy==1.17.1 setuptools==80.9.0
fi
"$python" -W ignore - 2>&1 <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("tonic", "numpy")))

import numpy as np
from tonic.audio_transforms import AddNoise

RATE = 16000
rng = np.random.default_rng(0)
np.random.seed(0)


def decibels(ratio):
    return 10 * np.log10(ratio)


def power(x):
    return float((x**2).mean())


def got(signal, noise, snr):
    """dB between the signal and what was added to it"""
    mixed = AddNoise([(noise, 0)], snr=snr, normed=False)(signal)
    return decibels(power(signal) / power(mixed - signal))


tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)[None]  # one second, one channel
white = rng.standard_normal((1, RATE))
white *= (power(tone) / power(white)) ** 0.5  # as loud as the tone

found = {}
for below in (0, 20, 40):
    noise = white * 10 ** (-below / 20)
    assert abs(decibels(power(tone) / power(noise)) - below) < 1e-9
    for snr in (-10, 0, 10, 20):
        found[below, snr] = got(tone, noise, snr)
        assert abs(found[below, snr] - (2 * snr - below)) < 1e-6
    print(
        f"noise recorded {below} dB below the signal, asked for -10, 0, 10, 20 dB:",
        *(f"{found[below, snr]:.1f}" for snr in (-10, 0, 10, 20)),
    )
assert abs(found[0, 0]) < 1e-6 and found[20, 10] < 1 and found[40, 10] < -19

pcm = np.round(tone * 2**14)
asked = got(pcm, white, 10)
print(f"signal of 16-bit whole numbers, noise in -1 ... 1, asked for 10 dB: {asked:.1f}")
assert asked < -60
normed = AddNoise([(white, 0)], snr=10)(pcm)
left = abs(np.corrcoef(normed[0], tone[0])[0, 1])
print(f"    normed, as by default: correlation with the tone {left:.4f}")
assert left < 0.05 and abs(np.abs(normed).max() - 1) < 1e-9

by_root = tone + white * 0.1 * (power(tone) / power(white * 0.1) * 10 ** (-10 / 10)) ** 0.5
print(f"by the root, asked for 10 dB: {decibels(power(tone) / power(by_root - tone)):.1f}")
assert abs(decibels(power(tone) / power(by_root - tone)) - 10) < 1e-6
print("as described above")
PYTHON
