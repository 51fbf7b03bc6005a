"""Another forward for a module, for a while."""

from collections.abc import Callable
from functools import partial

from torch import nn


class Instead:
    """What stands in for ``module.forward`` until :meth:`undo`: a call of ``run(module, forward, *args)``.

    The module stays the same object of the same class, with the same parameters and names, so whoever holds it
    sees the change; it can be copied and pickled meanwhile, if ``run`` can.  Several may stand in for each other,
    to be undone in any order; each ``run`` among them is called once.

    Args:
        module: to be changed.
        run: is given the module, the forward that it stands in for, and the call's arguments.
    """

    def __init__(self, module: nn.Module, run: Callable):
        self.module, self.run, self.before = module, run, vars(module).get("forward")
        module.forward = self

    def __call__(self, *args, **kwargs):
        beneath = self.before
        while isinstance(beneath, Instead) and beneath.run in (None, self.run):
            beneath = beneath.before
        forward = partial(type(self.module).forward, self.module) if beneath is None else beneath
        return (
            forward(*args, **kwargs) if self.run is None else self.run(self.module, forward, *args, **kwargs)
        )

    def undo(self) -> None:
        """The forward before, as soon as whatever was put in its place later is undone, too."""
        self.run = None
        while isinstance(top := vars(self.module).get("forward"), Instead) and top.run is None:
            del self.module.forward
            if top.before is not None:
                self.module.forward = top.before
