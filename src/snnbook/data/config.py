"""Which data, and how much of it."""

from dataclasses import dataclass

from snnbook.checks import check_fields, nearest
from snnbook.data.events import check_cut, window
from snnbook.errors import UserError

EVENTS = ("digit_events", "cifar10_dvs", "nmnist", "dvs_gesture", "shd", "ssc", "recordings")
NAMES = ("digits", "cifar10", "cifar100", "folder", "tiny_imagenet", "imagenet", *EVENTS)
STREAMED = ("folder", "tiny_imagenet", "imagenet")
BUNDLED = ("digits", "digit_events")  # come in one piece, which is divided here


@dataclass(frozen=True)
class DataConfig:
    """Which data, and how much of it.

    Args:
        name: ``digits`` (8x8 scans bundled with scikit-learn), ``cifar10``, ``cifar100``, ``tiny_imagenet``,
            ``imagenet``, or ``folder`` for your own images; or events: ``digit_events`` (those digits before a
            camera that moves, :mod:`snnbook.data.digit_events`), ``cifar10_dvs`` (CIFAR10-DVS, read through
            SpikingJelly, :mod:`snnbook.data.cifar10_dvs`), ``nmnist``, ``dvs_gesture``, ``shd`` and ``ssc``
            (spikes of spoken words), or ``recordings`` for your own (modules of these names; ``ssc`` in ``shd``).
        size: side of an image in pixels; images of another size are resized (bilinear).  Of a recording it is the
            height, and the width keeps the sensor's proportions; of ``shd`` and ``ssc`` the number of groups that
            700 channels are brought together in.
        frames: of events, the number of frames they are cut into: the network's T.
        split_by, accumulate: how they are cut, see :func:`snnbook.data.events.to_frames`.  Windows of fixed length
            (``"10 ms"``) leave shorter recordings with empty frames at the end, which ``direct`` and ``tet`` leave
            out of losses and predictions, and other methods refuse.
        stream: read images from disk while training, for a set that is larger than memory (``folder``,
            ``tiny_imagenet`` and ``imagenet``); False holds all of them as bytes on the device, which is faster.
        train_per_class: keep this many training images a class; None keeps all.  Digits are tested on all
            the others.
        train_fraction: keep this share of the training images, stratified (few-shot learning); 1 keeps all.
        label_noise: share of the training labels that are replaced by another class, see
            :func:`snnbook.data.noise.symmetric_noise`.
        test_fraction: share of the digits held out for the test, stratified, if ``train_per_class`` is None.
        validation: hold out this many training images, stratified, and test on them instead of the test images,
            which then play no part: for choosing settings.
        test_limit: keep at most so many test images, stratified; None keeps all.
        split_seed: draws which images are kept and which held out, the order of test images, and which labels are
            wrong.  All this belongs to the data, not to a run's seed: it is the same for all seeds of a row.
        download: fetch CIFAR if it is not there, or damaged; nothing else is ever downloaded.

    Raises:
        UserError: an unknown name, or a number out of range.
    """

    name: str = "digits"
    size: int = 32
    frames: int | None = None
    split_by: str = "number"
    accumulate: str = "count"
    stream: bool = False
    train_per_class: int | None = None
    train_fraction: float = 1.0
    label_noise: float = 0.0
    validation: int = 0
    test_fraction: float = 0.2
    test_limit: int | None = None
    split_seed: int = 0
    download: bool = False

    def __post_init__(self) -> None:
        check_fields(
            self,
            at_least=dict.fromkeys(("size", "frames", "train_per_class", "test_limit"), 1)
            | {"label_noise": 0, "validation": 0, "split_seed": 0},
            above={"train_fraction": 0, "test_fraction": 0},
            at_most={"train_fraction": 1},
            below={"label_noise": 1, "test_fraction": 1, "split_seed": 2**32},
        )
        if self.name not in NAMES:
            raise UserError(f"unknown data name {self.name!r}; {nearest(self.name, NAMES)}")
        if self.stream and self.name not in STREAMED:
            raise UserError(
                f"stream is true, but {self.name} is always held in memory; "
                f"set it to false, or choose one of {', '.join(STREAMED)}"
            )
        if self.frames is None and self.name in EVENTS:
            raise UserError(
                f"frames is not set, but {self.name} are events; "
                "say how many frames to cut them into, the network's time_steps"
            )
        check_cut(self.frames, self.split_by, self.accumulate)
        for name in ("frames", "split_by", "accumulate") if self.name not in EVENTS else ():
            if getattr(self, name) != getattr(DataConfig, name):
                raise UserError(
                    f"{name} is {getattr(self, name)!r}, but {self.name} are images that do not move; "
                    f"leave it out, or choose {' or '.join(EVENTS)}"
                )
        if window(self.split_by) and self.name in ("digit_events", "cifar10_dvs"):
            raise UserError(
                f"split_by is {self.split_by!r}, but {self.name} has recordings of one length; "
                "set it to number or time"
            )
