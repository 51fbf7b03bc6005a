"""Networks that are kept: one seed's weights beside its record, and an index of their digests.

A run leaves the weights of its whole method in ``runs``, which git ignores.  What is kept of a few rows is
smaller: the networks alone, in plain layers, without teacher, exits, factors and projections, in bfloat16.
"""

import copy
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from snnbook import data as datasets
from snnbook import files
from snnbook.backbones import NetworkConfig, build_ann, build_snn
from snnbook.checks import nearest, shown
from snnbook.data import Dataset
from snnbook.errors import UserError
from snnbook.experiments.runs import record
from snnbook.experiments.runs.exact import LARGEST, check_left
from snnbook.experiments.runs.job import Run, resolve
from snnbook.experiments.runs.lock import hold
from snnbook.experiments.runs.record import Record
from snnbook.experiments.tables import tables
from snnbook.factorized import SharedFactors
from snnbook.trainers.direct import Direct
from snnbook.trainers.loop.evaluation import evaluate
from snnbook.trainers.loop.weights import load_weights, save_weights, weights_digest
from snnbook.trainers.registry import build_method, stand_ins

INDEX = "pretrained.json"  # in the folder of records


@dataclass(frozen=True)
class Kept:
    """An entry of the index.

    Attributes:
        seed: of the run.
        digest: of the weights in the file.
        trained: digest of those that the run left, as its record tells.
        accuracy: of each network with the weights in the file, in percent, on the run's test set.
    """

    seed: int
    digest: str
    trained: str
    accuracy: dict[str, float]


def load(name: str, network: str | None = None, results: Path | None = None) -> nn.Module:
    """See :func:`snnbook.load_pretrained`."""
    run_id, (folder, entry) = _find(name, results)
    if network not in (None, *entry.accuracy):
        raise UserError(f"{name} has no network {shown(network)}; expected {' or '.join(entry.accuracy)}")
    kind = network or next(iter(entry.accuracy))
    weights = folder / run_id / f"seed{entry.seed}.safetensors"
    made = _record(weights.with_suffix(".json"), name, entry)
    if not weights.is_file():
        raise UserError(
            f"the weights of {name} are missing at {files.shown(weights)}; fetch them again, with git"
        )
    if weights_digest(weights) != entry.digest:
        raise UserError(
            f"the weights of {name} at {files.shown(weights)} are not those that {INDEX} tells of; "
            "fetch both again, with git"
        )
    built = _built(made, kind)
    load_weights(_plain(built, kind), weights, prefix=f"{kind}.")
    return built.eval()


def index(folder: Path) -> dict[str, Kept]:
    """What is kept in a folder of records, by ``<profile>/<table>/<row>``; nothing where there is no index.

    Raises:
        UserError: the index is damaged.
    """
    path = folder / INDEX
    if not path.is_file():
        return {}
    try:
        return {name: _kept(entry) for name, entry in json.loads(files.read_text(path, "digests")).items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise UserError(
            f"{files.shown(path)} is damaged ({type(error).__name__}); restore it from git"
        ) from None


def save_pretrained(
    name: str,
    seed: int = 0,
    *,
    data: Path | None = None,
    results: Path | None = None,
    work: Path | None = None,
) -> Path:
    """Keep the networks of a finished run for :func:`snnbook.load_pretrained`, and say so in the index.

    Args:
        name: ``<profile>/<table>/<row>``.
        seed: of the run; the one seed that is kept of its row.
        data: folder of data sets that are not bundled; the rounded networks are tested.
        results: folder of records; the project's by default.
        work: folder of the weights that runs left; ``runs`` beside the project's own ``results`` by default.

    Returns:
        The file of weights, beside the run's record.

    Raises:
        UserError: no such run, record or weights; weights that are not the record's; a network that is not the
            library's own, or too large to be kept; no data.
    """
    profile, _, row = str(name).partition("/")
    run = resolve(row, seed, profile, results=results, work=work)
    made = check_left(run)
    dataset = datasets.load(run.settings.data, data)
    networks = _networks(run, made, dataset)
    plain = nn.ModuleDict({kind: _plain(network, kind) for kind, network in networks.items()})
    size = sum(2 * value.numel() for value in plain.state_dict().values())
    if size > LARGEST:
        raise UserError(
            f"the networks of {run.id} take {size / 1e6:.1f} MB in bfloat16; expected at most {LARGEST / 1e6:g}"
        )
    path = run.record_path.with_suffix(".safetensors")
    written = save_weights(copy.deepcopy(plain).bfloat16(), path)
    accuracy = {}
    for kind, network in networks.items():
        load_weights(plain[kind], path, prefix=f"{kind}.")
        method = Direct(Direct.Config(kind), network)
        accuracy |= evaluate(method, dataset, run.settings.recipe)
    with hold(run.work / f"{INDEX}.lock"):
        entries = {at: asdict(entry) for at, entry in index(run.results).items()}
        entries[f"{profile}/{run.id}"] = asdict(Kept(seed, written, str(made.weights), accuracy))
        files.write_text(run.results / INDEX, json.dumps(dict(sorted(entries.items())), indent=1) + "\n")
    return path


def _networks(run: Run, made: Record, data: Dataset) -> dict[str, nn.Module]:
    """The networks that a run trained, the SNN first, with its weights in plain layers."""
    settings = run.settings
    parts = settings.name, settings.method, settings.network, data
    method = build_method(*parts, needs=stand_ins(*parts))
    load_weights(method, run.weights)
    for factors in [module for module in method.modules() if isinstance(module, SharedFactors)]:
        factors.release()
    networks = {}
    for kind, trained in sorted(method.backbones().items(), reverse=True):
        networks[kind] = _built(made, kind)
        try:
            _plain(networks[kind], kind).load_state_dict(trained.state_dict())
        except RuntimeError:
            raise UserError(
                f"method {settings.name} has a network of its own, not the library's {settings.network.name}; "
                "expected a run of another method"
            ) from None
    return networks


def _built(made: Record, kind: str) -> nn.Module:
    """The network of a record, untrained."""
    build = {"snn": build_snn, "ann": build_ann}[kind]
    return build(NetworkConfig(**made.config["network"]), made.data["classes"], made.data["shape"][-3])


def _plain(network: nn.Module, kind: str) -> nn.Module:
    """What has the weights: of a spiking network all but time."""
    return network.backbone if kind == "snn" else network


def _record(path: Path, name: str, entry: Kept) -> Record:
    if not path.is_file():
        raise UserError(
            f"the record of {name}, seed {entry.seed}, is missing at {files.shown(path)}; "
            "it tells how its network is built; restore it from git"
        )
    made = record.read(path)
    if made.weights != entry.trained:
        raise UserError(
            f"the record of {name}, seed {entry.seed}, tells of other weights ({str(made.weights)[:12]}) than are "
            f"kept ({entry.trained[:12]}): it was run again; keep those with experiments.save_pretrained"
        )
    return made


def _find(name: str, results: Path | None) -> tuple[str, tuple[Path, Kept]]:
    """The run called ``name``, as ``<profile>/<table>/<row>``, its folder of records, and its entry there."""
    found: dict[str, tuple[Path, Kept]] = {}
    for folder in record.places(results):
        found = {at: (folder, entry) for at, entry in index(folder).items()} | found
    profile, _, row = str(name).partition("/")
    for at in (name, f"{profile}/{_trained(row, profile)}"):
        if isinstance(name, str) and at in found:
            return at, found[at]
    others = [f"{at.partition('/')[0]}/{table}/{row.id}" for at in found for table, row in _shown_in(at)]
    raise UserError(f"no trained weights {shown(name)}; {nearest(name, [*found, *others])}")


def _trained(row: str, profile: str) -> str:
    """The row that ``row`` is the same as, if it is another's; nothing where there is no such row."""
    try:
        table, found = tables.find(row, profile)
    except UserError:
        return ""
    return f"{table.id}/{found.id}"


def _shown_in(at: str) -> list[tuple[str, tables.Row]]:
    """Other tables that show the run ``at``, and the rows in them."""
    profile, _, run = at.partition("/")
    rows = [(name, row) for name in tables.names() for row in tables.load(name).rows]
    rows = [(name, row) for name, row in rows if row.same or profile in row.instead]
    return [(name, row) for name, row in rows if _trained(f"{name}/{row.id}", profile) == run]


def _kept(entry: dict[str, Any]) -> Kept:
    found = Kept(**entry)
    if not isinstance(found.seed, int) or not found.accuracy or set(found.accuracy) - {"snn", "ann"}:
        raise ValueError
    return found
