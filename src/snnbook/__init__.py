"""snnbook: train spiking neural networks, read how, and trace every number to the run that made it.

The names here are the public ones, and they alone are stable; each is imported when it is first used.
"""

from typing import TYPE_CHECKING

from snnbook import lazy
from snnbook import threads as threads  # before torch: how long its idle threads spin

__version__ = "0.1.0"

if TYPE_CHECKING:
    from snnbook.backbones import NetworkConfig as NetworkConfig
    from snnbook.backbones import build_ann as build_ann
    from snnbook.backbones import build_backbone as build_backbone
    from snnbook.backbones import build_snn as build_snn
    from snnbook.course import check as check
    from snnbook.data import DataConfig as DataConfig
    from snnbook.data import Dataset as Dataset
    from snnbook.data import load as load
    from snnbook.deploy import fold_batchnorm as fold_batchnorm
    from snnbook.deploy import from_nir as from_nir
    from snnbook.deploy import to_nir as to_nir
    from snnbook.deploy import to_onnx as to_onnx
    from snnbook.errors import UserError as UserError
    from snnbook.experiments.runs.pretrained import load_pretrained as load_pretrained
    from snnbook.folding import SpikingNetwork as SpikingNetwork
    from snnbook.folding import set_time_steps as set_time_steps
    from snnbook.losses import calibration as calibration
    from snnbook.losses import every_moment as every_moment
    from snnbook.losses import kl_divergence as kl_divergence
    from snnbook.losses import kld_loss as kld_loss
    from snnbook.losses import mse_regularizer as mse_regularizer
    from snnbook.losses import norm_loss as norm_loss
    from snnbook.losses import sdt as sdt
    from snnbook.losses import tet as tet
    from snnbook.neurons import IF as IF
    from snnbook.neurons import LIF as LIF
    from snnbook.neurons import PLIF as PLIF
    from snnbook.neurons import preset as preset
    from snnbook.surrogates import ATan as ATan
    from snnbook.surrogates import DSpike as DSpike
    from snnbook.surrogates import Rectangle as Rectangle
    from snnbook.surrogates import RelativeTriangle as RelativeTriangle
    from snnbook.surrogates import Sigmoid as Sigmoid
    from snnbook.surrogates import Surrogate as Surrogate
    from snnbook.surrogates import Triangle as Triangle
    from snnbook.surrogates import spike as spike
    from snnbook.trainers.direct import Direct as Direct
    from snnbook.trainers.direct import DirectConfig as DirectConfig
    from snnbook.trainers.distillation import Distillation as Distillation
    from snnbook.trainers.distillation import DistillationConfig as DistillationConfig
    from snnbook.trainers.feature_distillation import FeatureDistillation as FeatureDistillation
    from snnbook.trainers.feature_distillation import FeatureDistillationConfig as FeatureDistillationConfig
    from snnbook.trainers.joint import JointASNN as JointASNN
    from snnbook.trainers.joint import JointConfig as JointConfig
    from snnbook.trainers.loop.evaluation import evaluate as evaluate
    from snnbook.trainers.loop.fit import fit as fit
    from snnbook.trainers.loop.history import History as History
    from snnbook.trainers.loop.recipe import Recipe as Recipe
    from snnbook.trainers.loop.weights import load_weights as load_weights
    from snnbook.trainers.loop.weights import save_weights as save_weights
    from snnbook.trainers.loop.weights import weights_digest as weights_digest
    from snnbook.trainers.sastc import SASTC as SASTC
    from snnbook.trainers.sastc import SASTCConfig as SASTCConfig
    from snnbook.trainers.switch import Switch as Switch
    from snnbook.trainers.switch import SwitchConfig as SwitchConfig
    from snnbook.trainers.tet import TET as TET
    from snnbook.trainers.tet import TETConfig as TETConfig

_PLACES = {
    "ATan": "surrogates",
    "DSpike": "surrogates",
    "DataConfig": "data",
    "Dataset": "data",
    "Direct": "trainers.direct",
    "DirectConfig": "trainers.direct",
    "Distillation": "trainers.distillation",
    "DistillationConfig": "trainers.distillation",
    "FeatureDistillation": "trainers.feature_distillation",
    "FeatureDistillationConfig": "trainers.feature_distillation",
    "History": "trainers.loop.history",
    "IF": "neurons",
    "JointASNN": "trainers.joint",
    "JointConfig": "trainers.joint",
    "LIF": "neurons",
    "NetworkConfig": "backbones",
    "PLIF": "neurons",
    "Recipe": "trainers.loop.recipe",
    "Rectangle": "surrogates",
    "RelativeTriangle": "surrogates",
    "SASTC": "trainers.sastc",
    "SASTCConfig": "trainers.sastc",
    "Sigmoid": "surrogates",
    "SpikingNetwork": "folding",
    "Surrogate": "surrogates",
    "Switch": "trainers.switch",
    "SwitchConfig": "trainers.switch",
    "TET": "trainers.tet",
    "TETConfig": "trainers.tet",
    "Triangle": "surrogates",
    "UserError": "errors",
    "build_ann": "backbones",
    "build_backbone": "backbones",
    "build_snn": "backbones",
    "calibration": "losses",
    "check": "course",
    "evaluate": "trainers.loop.evaluation",
    "every_moment": "losses",
    "fit": "trainers.loop.fit",
    "fold_batchnorm": "deploy",
    "from_nir": "deploy",
    "kl_divergence": "losses",
    "kld_loss": "losses",
    "load": "data",
    "load_pretrained": "experiments.runs.pretrained",
    "load_weights": "trainers.loop.weights",
    "mse_regularizer": "losses",
    "norm_loss": "losses",
    "preset": "neurons",
    "save_weights": "trainers.loop.weights",
    "sdt": "losses",
    "set_time_steps": "folding",
    "spike": "surrogates",
    "tet": "losses",
    "to_nir": "deploy",
    "to_onnx": "deploy",
    "weights_digest": "trainers.loop.weights",
}
__all__ = list(_PLACES)
if not TYPE_CHECKING:  # which would take any name for one of ours
    __getattr__, __dir__ = lazy.lazy(__name__, _PLACES)
