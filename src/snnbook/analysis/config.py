"""Which analyses a run adds to its record, beyond firing rates and energy."""

from dataclasses import dataclass

from snnbook.errors import UserError


@dataclass(frozen=True)
class AnalysisConfig:
    """The section ``analysis`` of an experiment; by default nothing is added.

    Attributes:
        time_steps: lengths T' at which the trained network is tested without tuning.
        moments: how many moments' readouts are tested by themselves.
        landscape: grid points a side of the loss landscape, odd, at least 5; 0 for none.
        radius: half the side of the landscape, in norms of the filters.
        images: unaugmented training images under the landscape.
        mismatch: batch size of the STM score between student and teacher; 0 for none.
        mismatch_epochs: last epochs whose scores are averaged.
        activation_maps: test images of which it is kept where student and teacher look.
    """

    time_steps: tuple[int, ...] = ()
    moments: int = 0
    landscape: int = 0
    radius: float = 1.0
    images: int = 200
    mismatch: int = 0
    mismatch_epochs: int = 1
    activation_maps: int = 0

    def __post_init__(self):
        if any(t < 1 for t in self.time_steps):
            raise UserError(
                f"analysis.time_steps is {list(self.time_steps)}; expected whole numbers of at least 1"
            )
        if self.landscape and (self.landscape < 5 or self.landscape % 2 == 0):
            raise UserError(f"analysis.landscape is {self.landscape}; expected 0 or an odd number from 5 up")
        if self.radius <= 0 or self.images < 1:
            raise UserError("analysis.radius and analysis.images are sizes; expected numbers above 0")
        if self.mismatch_epochs < 1 or self.activation_maps < 0:
            raise UserError(
                f"analysis.mismatch_epochs is {self.mismatch_epochs} and activation_maps {self.activation_maps}; "
                "expected counts of at least 1 and 0"
            )
