"""Run records: one small JSON file a run, checked when read; every number of the book comes from one."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from snnbook import files
from snnbook.checks import nearest
from snnbook.errors import UserError
from snnbook.experiments.runs import shape
from snnbook.experiments.tables import tables

SCHEMA = 2
OLD = 1  # knew nothing of the runs a run needs, see migration.py


@dataclass(frozen=True)
class Record:
    """What one run was and what came of it.

    Attributes:
        run: ``<table>/<row>``, with a suffix for another recipe mode or changed settings.
        label: the row's name in the table.
        seed: of weights, order and augmentation.
        profile: ``quick``, ``desk``, ``lab`` or ``paper``.
        asked: a hash of what the tables write for this run and those it needs, to tell whether that changed since.
        config: every setting, by section.
        data: name, classes, sizes and fingerprint of the data set.
        metrics: a network's ``last`` and ``best`` test accuracy in percent, ``best_epoch`` counted from 1.
        curve: ``loss`` by name, an entry an epoch; ``accuracy`` by name, an entry for each epoch in ``tested``.
        measure: firing rates and energy, see :func:`snnbook.analysis.measure`.
        cost: seconds of training, median seconds of an epoch, images per second, trained parameters;
            ``epoch_steps``, epochs times T; ``total_seconds`` and ``total_epoch_steps``, with the runs it inherits
            from.
        environment: versions, device, threads, kernel, precision; in newer ones why so many threads, and which
            instructions a CPU has (one that has none for half precision computes in float32 and rounds); and
            ``earlier``, where it was before it was killed and went on here, if that was another place or code.
        code: version, commit, and a hash of the package's files.
        created: when, in UTC.
        needs: the runs whose weights went into this one, an :class:`Origin` each as a dictionary.
        weights: digest of the weights it left; None where they were not kept track of.
        history: what was done to the record itself since it was made.
    """

    run: str
    label: str
    seed: int
    profile: str
    asked: str
    config: dict
    data: dict
    metrics: dict
    curve: dict
    measure: dict
    cost: dict
    environment: dict
    code: dict
    created: str
    needs: list[dict] = field(default_factory=list)
    weights: str | None = None
    history: list[str] = field(default_factory=list)
    schema: int = SCHEMA

    def value(self, key: str) -> float:
        """A number by its dotted path; ``snn.last`` is short for ``metrics.snn.last``.

        An entry of a list goes by its place: ``curve.accuracy.snn.0`` is the first epoch's, ``-1`` the last's.

        Raises:
            UserError: nothing or no number stands there.
        """
        content, found = vars(self), self._find(key)
        if found is None:
            keys = sorted(
                [
                    *_paths(content["metrics"]),
                    *_paths(content["measure"], "measure."),
                    *_paths(content["cost"], "cost."),
                ]
            )
            raise UserError(f"no number {key!r} in the record of {self.run}; {nearest(key, keys)}")
        return found

    def has(self, key: str) -> bool:
        """Whether :meth:`value` finds a number there."""
        return self._find(key) is not None

    def _find(self, key: str) -> float | None:
        for content in (vars(self), self.metrics):
            found = _follow(content, key)
            if isinstance(found, int | float) and not isinstance(found, bool):
                return found
        return None


def _follow(content: Any, key: str) -> Any:
    if isinstance(content, dict) and key in content:
        return content[key]  # names of layers have dots
    part, dot, rest = key.partition(".")
    if isinstance(content, dict):
        found = content.get(part)
    elif isinstance(content, list) and re.fullmatch(r"-?[0-9]{1,9}", part):
        found = content[int(part)] if -len(content) <= int(part) < len(content) else None
    else:
        return None
    return _follow(found, rest) if dot else found


def _paths(content: dict, prefix: str = "") -> list[str]:
    paths = []
    for key, value in content.items():
        if isinstance(value, dict):
            paths += _paths(value, f"{prefix}{key}.")
        elif isinstance(value, int | float):
            paths.append(prefix + key)
    return paths


@dataclass(frozen=True)
class Origin:
    """A run whose weights went into another, as that one's record tells it.

    Attributes:
        run: its id; seed and profile are the other's.
        config: its settings, by section.
        data: fingerprint of its data set.
        weights: digest of the weights that were taken; None where they were not kept track of.
        needs: the runs that it needed itself.
    """

    run: str
    config: dict
    data: str
    weights: str | None
    needs: list[dict]


def write(record: Record, path: Path) -> None:
    """Put ``record`` at ``path``, whole or not at all, sealed with a checksum."""
    content = _content(record)
    content["checksum"] = _checksum(content)
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    # A curve on one line: records are read in diffs.  Texts, which have no line breaks in JSON, stay as they are.
    files.write_text(
        path, re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\n *", " ", found[0]), text) + "\n"
    )


def read(path: Path) -> Record:
    """The record at ``path``.

    Raises:
        UserError: it is damaged, of another schema, or that of another run, seed or profile than its place says.
    """
    content = unsealed(path)
    if content["schema"] == OLD:
        raise UserError(
            f"record {path} has schema {OLD}; 'snnbook check --migrate --results DIR' brings a folder up to date"
        )
    if content["schema"] != SCHEMA:
        raise UserError(
            f"record {path} has schema {content['schema']}; expected {SCHEMA}; delete it and run again"
        )
    named = f"{content['profile']}/{content['run']}/seed{content['seed']}.json"
    if not Path(path).absolute().as_posix().endswith(f"/{named}"):  # a copy would count for another run
        raise UserError(f"record {path} says that it is {named}; move it there")
    return Record(**content)


def unsealed(path: Path) -> dict:
    """What the file at ``path`` holds besides its checksum, which is right.

    Raises:
        UserError: it cannot be read, is damaged, or holds what no record does; the message names the part.
    """
    advice = "restore it from git, or delete it and run again"
    try:
        text = files.place(path, "a record").read_bytes()
    except OSError as error:
        raise UserError(f"cannot read record {path} ({error.strerror}); see to it that you may") from None
    try:
        content = json.loads(text.decode("utf-8"), parse_constant=_refuse)
        intact = content.pop("checksum") == _checksum(content)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise UserError(f"record {path} is damaged ({type(error).__name__}); {advice}") from None
    if not intact:
        raise UserError(f"record {path} is damaged (its checksum does not match); {advice}")
    schema = content.get("schema")
    try:
        if schema in (OLD, SCHEMA) or not isinstance(schema, int):
            shape.check(content, missing=shape.OLDER if schema == OLD else ())
            shape.check_curves(content)
    except UserError as error:
        raise UserError(f"record {path}: {error}; {advice}") from None
    return content


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def checksum(record: Record) -> str:
    """SHA-256 over everything else in the record's file, as hexadecimal digits."""
    return _checksum(_content(record))


def _content(record: Record) -> dict:
    return json.loads(json.dumps(asdict(record), allow_nan=False))  # as it will be read: keys are text


def _checksum(content: dict) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def folder() -> Path:
    """Where records are kept: the checkout's ``results``, or that of the current folder when installed."""
    checkout = files.root()
    return Path("results") if checkout.name == "_repository" else checkout / "results"


def records(run_id: str, profile: str, seeds: Sequence[int], results: Path | None = None) -> list[Record]:
    """The records that exist of a run, one for each of ``seeds`` that has one.

    An installed package reads those packed with it as well.
    """
    found = []
    for seed in seeds:
        paths = [place / profile / run_id / f"seed{seed}.json" for place in places(results)]
        found += [read(path) for path in paths if path.is_file()][:1]
    return found


def below(profile: str, results: Path | None = None) -> list[Record]:
    """All records of a profile, one of each run and seed; of two the first place's."""
    found: dict[Path, Path] = {}
    for place in places(results):
        for path in sorted((place / profile).glob("*/*/seed*.json")):
            found.setdefault(path.relative_to(place), path)
    return [read(path) for path in found.values()]


def places(results: Path | None) -> list[Path]:
    """Folders of records that are looked into, in this order: the project's, and those packed with the library."""
    return [Path(results)] if results else list(dict.fromkeys([folder(), files.results()]))


@dataclass(frozen=True)
class Statistic:
    """A number over seeds.  ``std`` is the sample's (None for one seed); ``records`` are what it comes from."""

    mean: float
    std: float | None
    n: int
    records: tuple[Record, ...] = field(repr=False)

    def text(self, digits: int = 1) -> str:
        """``92.4 ± 0.3``, or the mean alone for one seed."""
        spread = "" if self.std is None else f" ± {self.std:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


def predates(made: Record, key: str) -> bool:
    """The record is older than the number ``key``, which each run counts today."""
    return key.rpartition(".")[2] in shape.LATER and not made.has(key)


def statistic(found: Sequence[Record], key: str) -> Statistic | None:
    """``key`` over records; None if there are none, or all are older than this number."""
    found = [record for record in found if not predates(record, key)]
    if not found:
        return None
    values = [record.value(key) for record in found]
    setting = key.startswith(("config.", "data."))  # the same for every seed: no spread to speak of
    spread = stdev(values) if len(values) > 1 and not setting else None
    return Statistic(mean(values), spread, len(values), tuple(found))


def lookup(reference: str, profile: str = "quick", results: Path | None = None) -> Statistic | None:
    """A number over the seeds that the profile asks for, or None where no record of the run counts it yet.

    Args:
        reference: ``<table>/<row>:<key>``, for instance ``joint-table4/snn:snn.last`` or
            ``joint-table4/snn:cost.seconds_per_epoch``; the row may end in ``+official``.
        profile: whose records.
        results: folder of records; the project's by default.

    Raises:
        UserError: no such run (the nearest is named), no such number, or a damaged record.
    """
    run_id, colon, key = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if not (colon and key):
        raise UserError(
            f"{reference!r} names no number; expected table/row:key, for instance joint-table4/snn:snn.last"
        )
    return statistic(of(run_id, profile, results), key)


def of(run_id: str, profile: str, results: Path | None = None) -> list[Record]:
    """The records of a run over its profile's seeds; the row may be another's ``same``, or end in ``+official``.

    Raises:
        UserError: no such run or profile, or a damaged record.
    """
    if profile not in tables.PROFILES:
        raise UserError(f"no profile {profile!r}; {nearest(profile, tables.PROFILES)}")
    row_id, plus, mode = run_id.partition("+")
    table, row = tables.find(row_id, profile)
    return records(f"{table.id}/{row.id}{plus}{mode}", profile, table.seeds_in(profile, row), results)
