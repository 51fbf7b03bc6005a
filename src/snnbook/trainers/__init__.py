"""Methods, a file each, and the loop that trains them.

A method is a module that owns everything that learns.  ``method(images, labels)`` returns its loss terms by
name, weights included, and the loop minimizes their sum; ``method.predict(images)`` returns the logits
``[B, classes]`` of each of its networks, ``{"snn": ..., "ann": ...}``; ``method.backbones()`` gives those networks
for inspection.  Three hooks are optional: ``begin_epoch(epoch)`` is called before each epoch, counted from 0;
``test_losses(images, labels)`` names losses to be followed on the test set; ``notes()`` says at an epoch's end
what is worth keeping of it, numbers or lists of them.  Terms are means over the batch; those that are sums are
named in ``summed``, so that several processes that share a batch minimize what one would.

Recordings that end before the last frame are for methods that take ``lengths``, int64 ``[B]``, as a last argument
of ``forward``, ``predict`` and ``test_losses``; what lies behind a recording's end counts in none of them.
"""

from typing import TYPE_CHECKING

from snnbook.lazy import lazy

if TYPE_CHECKING:
    from snnbook.trainers.direct import Direct as Direct
    from snnbook.trainers.distillation import Distillation as Distillation
    from snnbook.trainers.feature_distillation import FeatureDistillation as FeatureDistillation
    from snnbook.trainers.joint import JointASNN as JointASNN
    from snnbook.trainers.registry import METHODS as METHODS
    from snnbook.trainers.registry import build_method as build_method
    from snnbook.trainers.sastc import SASTC as SASTC
    from snnbook.trainers.switch import Switch as Switch
    from snnbook.trainers.tet import TET as TET

_PLACES = {
    "build_method": "registry",
    "Direct": "direct",
    "Distillation": "distillation",
    "FeatureDistillation": "feature_distillation",
    "JointASNN": "joint",
    "METHODS": "registry",
    "SASTC": "sastc",
    "Switch": "switch",
    "TET": "tet",
}
__all__ = list(_PLACES)
__getattr__, __dir__ = lazy(__name__, _PLACES)
