"""Training speed as ratios: variants measured in turn, round by round, on whatever machine this is.

Absolute times say little about another machine; a ratio within a round nearly does.  A spiking step cannot be
faster than the same convolutions in an ANN fed ``T*B`` images: that is the limit.
"""

from snnbook.bench.groups import GROUPS
from snnbook.bench.measure import kept_bytes, ratios
from snnbook.bench.run import main
from snnbook.experiments.evidence.measurements import read

__all__ = ["GROUPS", "kept_bytes", "main", "ratios", "read"]
