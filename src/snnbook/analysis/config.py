"""Which analyses a run adds to its record, beyond firing rates and energy."""

from dataclasses import dataclass

from snnbook.checks import check_fields
from snnbook.errors import UserError


@dataclass(frozen=True)
class AnalysisConfig:
    """The section ``analysis`` of an experiment; by default nothing is added.

    Attributes:
        time_steps: lengths T' at which the trained network is tested without tuning.
        moments: how many moments' readouts are tested by themselves, with ``time_steps``; 0 for as many as the
            longest of those.
        landscape: grid points a side of the loss landscape, odd, at least 5; 0 for none.
        radius: half the side of the landscape, in norms of the filters.
        images: unaugmented training images under the landscape.
        mismatch: batch size of the STM score between student and teacher; 0 for none.
        mismatch_epochs: last epochs whose scores are averaged.
        activation_maps: test images of which it is kept where student and teacher look.
        neurobench: have NeuroBench's harness measure the SNN, too (the extra ``neurobench``), beside our counts.
    """

    time_steps: tuple[int, ...] = ()
    moments: int = 0
    landscape: int = 0
    radius: float = 1.0
    images: int = 200
    mismatch: int = 0
    mismatch_epochs: int = 1
    activation_maps: int = 0
    neurobench: bool = False

    def __post_init__(self):
        check_fields(
            self,
            "analysis",
            at_least={"time_steps": 1, "images": 1, "mismatch_epochs": 1}
            | dict.fromkeys(("moments", "landscape", "mismatch", "activation_maps"), 0),
            above={"radius": 0},
        )
        if self.moments and not self.time_steps:
            raise UserError(
                f"analysis.moments is {self.moments} and analysis.time_steps is empty; say at which lengths the "
                "network is tested, too"
            )
        if self.landscape and (self.landscape < 5 or self.landscape % 2 == 0):
            raise UserError(f"analysis.landscape is {self.landscape}; expected 0 or an odd number from 5 up")
