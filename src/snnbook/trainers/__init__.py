"""Methods, a file each, and the loop that trains them.

A method is a module that owns everything that learns.  ``method(images, labels)`` takes images ``[B, C, H, W]``,
or ``[T, B, C, H, W]`` where time is in the data, and labels, int64 ``[B]``; it returns its loss terms by name, 0-d
tensors, weights included, and the loop minimizes their sum.  ``method.predict(images)`` returns the logits
``[B, classes]`` of each of its networks, ``{"snn": ..., "ann": ...}``; ``method.backbones()`` gives those networks
for inspection.  Four hooks are optional: ``begin_epoch(epoch)`` is called before each epoch, counted from 0;
``test_losses(images, labels)`` names losses to be followed on the test set; ``notes()`` says at an epoch's end
what is worth keeping of it, numbers or lists of them; ``check_last_batch(images)`` raises a UserError before
training if a last batch of so many images, in each process, does not suit the method.  Terms are means over the
batch; those that are sums are named in ``summed``, so that several processes that share a batch minimize what one
would.  Settings that a method keeps as ``config``, a dataclass, are part of the name that a checkpoint must match.

A method of the registry is built as ``Method(config, network, classes, channels, *needs)``, and its class has
``Config``, the dataclass of its settings.  One that starts from other runs' weights names them in ``needs``,
``("teacher",)`` for instance, and may have two static methods more: ``stand_in(config, network, classes,
channels)``, an untrained network in the place of each, to try a run with before they are trained; and
``check_taught(config, network, run, settings)``, which raises a UserError if the run called so leaves no such
weights.

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
