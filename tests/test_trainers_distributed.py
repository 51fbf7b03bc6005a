"""Two processes train like one.  Started by ``torchrun``, this file is one of them and writes what it saw."""

import dataclasses
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from killing import Killed, kill_after
from snnbook import experiments
from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig, batches, load
from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.trainers import METHODS, build_method
from snnbook.trainers.loop import processes
from snnbook.trainers.loop.batchnorm import synchronized
from snnbook.trainers.loop.distributed import ALONE, join
from snnbook.trainers.loop.evaluation import evaluate
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.loop.weights import save_weights

# Small learning rates: large ones carry rounding to a spike that fires in one run and not in the other.
SYNC = Recipe(
    epochs=3, batch_size=20, optimizer="sgd", learning_rate=0.02, augment=("crop",), sync_batchnorm=True
)
APART = dataclasses.replace(SYNC, sync_batchnorm=False)
SHORT = dataclasses.replace(APART, drop_last=False)
CONVNET = NetworkConfig("convnet", width=4, time_steps=2)
TABLE = """
id: demo
paper: demo
title: Demo
source: none
seeds: [0]
base:
  data: {size: 8, train_per_class: 6, test_limit: 101}
  network: {name: convnet, width: 4, time_steps: 2}
  recipe: {epochs: 2, batch_size: 20, optimizer: sgd, learning_rate: 0.02, augment: [crop], sync_batchnorm: true}
profiles: {quick: {}}
rows:
  - {id: teacher, label: ANN, method: {name: direct, train: ann}}
  - {id: student, label: SNN, method: {name: distillation}, needs: [demo/teacher]}
  - {id: uneven, label: SNN, method: {name: direct}, recipe: {batch_size: 21}}
"""


def digits(**options):
    return load(DataConfig(name="digits", size=8, train_per_class=6, **{"test_limit": 101, **options}), None)


class Plain(nn.Module):
    """Spiking neurons without BatchNorm, a layer that is never used, a loss that is a sum, and notes."""

    summed = ("sum",)

    def __init__(self):
        super().__init__()
        torch.manual_seed(processes.rank())
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(64, 50), LIF(), nn.Linear(50, 10))
        self.unused = nn.Linear(3, 3)
        self.seen = 0

    def forward(self, images, labels):
        self.seen += len(labels)
        logits = self.network(images)
        return {"ce": F.cross_entropy(logits, labels), "sum": 1e-3 * logits.square().sum()}

    def predict(self, images):
        return {"snn": self.network(images)}

    def test_losses(self, images, labels):
        return {"test": F.cross_entropy(self.network(images), labels)}

    def notes(self):
        return {"seen": [[self.seen]]}


def made(name, network=CONVNET, needs=(), **options):
    torch.manual_seed(processes.rank())  # the first process's weights must reach the others
    return build_method(name, METHODS[name].Config(**options), network, digits(), needs)


def train(method, world, recipe=SYNC, data=None, **options):
    history = fit(method, data or digits(), recipe, seed=3, progress=False, world=world, **options)
    state = {name: value.double().flatten().tolist() for name, value in method.state_dict().items()}
    return dataclasses.asdict(history) | {"state": state}


def like_one(world, folder):
    """Methods with synchronized BatchNorm, or without BatchNorm: several processes train like one."""
    teacher = [folder / "teacher.safetensors"]
    return {
        "direct": train(made("direct"), world),
        "adam": train(made("tet"), world, dataclasses.replace(SYNC, optimizer="adam", learning_rate=1e-3)),
        "bfloat16": train(made("direct"), world, dataclasses.replace(SYNC, precision="bfloat16", epochs=1)),
        "joint": train(made("joint"), world),
        "official": train(
            made("joint", mode="official"),
            world,
            dataclasses.replace(SYNC, epochs=2, learning_rate=1e-3),
        ),
        "distillation": train(made("distillation", needs=teacher), world),
        "features": train(made("feature_distillation", needs=teacher, beta=1.0), world),
        "plain": train(Plain(), world, APART),
        "short": train(Plain(), world, SHORT, digits(train_fraction=0.95)),  # 57 images: 20, 20, 9 + 8
        "resumed": train(made("direct"), world, checkpoint=copy(folder / "one.pt")),
    }


def copy(path: Path) -> Path:
    """A checkpoint to go on from, for each number of processes its own."""
    target = path.with_name(f"{path.stem}-{'two' if processes.launched() else 'one'}.pt")
    if processes.rank() == 0:
        target.write_bytes(path.read_bytes())
    return target


def normalized(world):
    """BatchNorm of a batch of which this process has a part that is not a half."""
    generator = torch.Generator().manual_seed(0)
    x = 5 + torch.randn(8, 3, 4, 4, generator=generator)
    wish = torch.randn(8, 3, 4, 4, generator=generator)
    part = slice(None) if world.size == 1 else (slice(0, 3), slice(3, 8))[world.rank]
    norm = nn.BatchNorm2d(3)
    x = x[part].contiguous(memory_format=torch.channels_last).requires_grad_()
    with synchronized(norm) if world.size > 1 else torch.enable_grad():
        y = norm(x)
        (y * wish[part]).sum().backward()
        replaced = "forward" in vars(norm)
    assert replaced == (world.size > 1)
    assert "forward" not in vars(norm)
    found = {"y": y, "gradient": x.grad, "weight": norm.weight.grad, "bias": norm.bias.grad}
    found |= {"mean": norm.running_mean, "variance": norm.running_var, "steps": norm.num_batches_tracked}
    return {name: value.tolist() for name, value in found.items()}


def accuracies(world):
    torch.manual_seed(0)
    method = build_method("direct", METHODS["direct"].Config(), CONVNET, digits())
    return [evaluate(method, digits(test_limit=n), SYNC, world)["snn"] for n in (1, 2, 101, 600)]


def refused(call) -> str:
    with pytest.raises(UserError) as error:
        call()
    return str(error.value)


def run(folder, row, **options):
    return experiments.run(
        f"demo/{row}",
        device="cpu",
        results=folder / "results",
        work=folder / "runs",
        progress=False,
        **options,
    )


def worker(folder: Path) -> None:
    """What each of two processes does."""
    with join(torch.device("cpu")) as (world, _):
        found = like_one(world, folder) | {"normalized": normalized(world), "accuracies": accuracies(world)}
        sastc = partial(made, "sastc", needs=[folder / "teacher.safetensors"])
        found["sastc"] = train(sastc(batch_size=10), world, APART)
        found["apart"] = train(made("direct"), world, APART)
        found["refused"] = [
            refused(lambda: train(sastc(batch_size=20), world)),
            refused(lambda: train(Plain(), world, dataclasses.replace(APART, batch_size=21))),
            refused(lambda: train(Plain(), world, checkpoint=folder / "damaged.pt")),
        ]
        with pytest.raises(Killed):
            train(made("direct"), world, checkpoint=folder / "two.pt", on_epoch=kill_after(1))
        record = run(folder / "two", "student")
        assert run(folder / "two", "student") == record
        found["record"] = dataclasses.asdict(record)
        found["refused"].append(refused(lambda: run(folder / "two", "uneven")))
    (folder / f"process{world.rank}.json").write_text(json.dumps(found))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    (folder / "tables").mkdir()
    (folder / "tables/demo.yaml").write_text(TABLE)
    (folder / "damaged.pt").write_bytes(b"nothing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNBOOK_EXPERIMENTS", str(folder / "tables"))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield folder


@pytest.fixture(scope="module")
def one(folder):
    """What one process sees."""
    teacher = made("direct", train="ann")
    fit(teacher, digits(), SYNC, seed=0, progress=False)
    save_weights(teacher, folder / "teacher.safetensors")
    with pytest.raises(Killed):
        train(made("direct"), ALONE, checkpoint=folder / "one.pt", on_epoch=kill_after(1))
    return like_one(ALONE, folder) | {"normalized": normalized(ALONE), "accuracies": accuracies(ALONE)}


@pytest.fixture(scope="module")
def two(folder, one):
    """What each of two processes sees."""
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__, str(folder)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return [json.loads((folder / f"process{rank}.json").read_text()) for rank in range(2)]


def assert_close(found, expected, tolerance=1e-5):
    """Equal up to rounding, name by name; numbers in lists by their distance as vectors."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            assert_close(found[name], expected[name], tolerance)
    else:
        a, b = (torch.tensor(x, dtype=torch.float64).flatten() for x in (found, expected))
        assert float((a - b).norm()) <= tolerance * max(1.0, float(b.norm()))


@pytest.mark.parametrize(
    "name", ["direct", "adam", "joint", "official", "distillation", "features", "plain", "short", "resumed"]
)
def test_two_processes_train_like_one(one, two, name):
    for key in ("losses", "test_losses", "images"):
        assert_close(two[0][name][key], one[name][key])
    assert_close(two[0][name]["accuracy"], one[name]["accuracy"], tolerance=0.05)
    assert_close(two[0][name]["state"], one[name]["state"], tolerance=1e-4)


def test_bfloat16_takes_part(one, two):
    assert_close(two[0]["bfloat16"]["losses"], one["bfloat16"]["losses"], tolerance=0.02)


def test_all_processes_end_with_the_same(two):
    first, second = ({**seen, "record": None} for seen in two)
    for name in {**first}.keys() - {"normalized", "record"}:
        if isinstance(first[name], dict):
            first[name].pop("seconds"), second[name].pop("seconds")
        assert first[name] == second[name], name


def test_a_layer_that_is_never_used_stays_as_it_is(one, two):
    for name in ("unused.weight", "unused.bias"):
        assert two[0]["plain"]["state"][name] == one["plain"]["state"][name]
        assert two[0]["plain"]["state"][name] == two[0]["short"]["state"][name]


def test_notes_are_means_over_processes(two):
    assert two[1]["plain"]["notes"] == {"seen": [[[30.0]], [[60.0]], [[90.0]]]}


def test_each_test_image_counts_once(one, two):
    assert two[0]["accuracies"] == one["accuracies"]


def test_batchnorm_over_processes_is_batchnorm_of_the_whole_batch(one, two):
    whole, parts = one["normalized"], [seen["normalized"] for seen in two]
    for name in ("y", "gradient"):
        torch.testing.assert_close(
            torch.tensor(parts[0][name] + parts[1][name]), torch.tensor(whole[name]), atol=1e-5, rtol=1e-4
        )
    for name in ("weight", "bias"):  # each process's share, to be added up
        total = torch.tensor(parts[0][name]) + torch.tensor(parts[1][name])
        torch.testing.assert_close(total, torch.tensor(whole[name]), atol=1e-5, rtol=1e-4)
    for name in ("mean", "variance", "steps"):
        assert parts[0][name] == parts[1][name] == pytest.approx(whole[name], rel=1e-5)


def test_without_it_statistics_are_means_over_processes(two, one):
    assert two[0]["apart"]["losses"] != one["direct"]["losses"]
    assert_close(two[0]["apart"]["losses"], one["direct"]["losses"], tolerance=0.1)
    assert two[0]["apart"]["state"] == two[1]["apart"]["state"]


def test_the_attention_is_trained_by_all_processes(folder, one, two):
    """By hand: SASTC on both halves of each batch, gradients of the mean loss."""
    method, data = made("sastc", needs=[folder / "teacher.safetensors"], batch_size=10), digits()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    optimizer, losses = APART.optimizer_for(method), []
    scheduler = APART.scheduler_for(optimizer, 100)
    for epoch in range(APART.epochs):
        losses.append([])
        for images, labels in batches(data, 20, seed=3, epoch=epoch, augment=APART.augment):
            halves = zip(images.split(10), labels.split(10), strict=True)
            loss = sum(sum(method(*half).values()) / 2 for half in halves)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
        scheduler.step()
    found = two[0]["sastc"]
    total = [sum(terms) for terms in zip(*found["losses"].values(), strict=True)]
    assert total == pytest.approx([sum(x) / len(x) for x in losses], rel=1e-5)
    for name, parameter in method.named_parameters():
        assert_close(found["state"][name], parameter.flatten().tolist(), tolerance=1e-4)
        if name.startswith("attend") and name.endswith("weight"):
            assert not torch.equal(parameter, before[name]), name
    assert len(found["notes"]["attention"]) == APART.epochs


def test_one_process_goes_on_from_the_checkpoint_of_two(folder, one, two):
    resumed = train(made("direct"), ALONE, checkpoint=folder / "two.pt")
    assert_close(resumed["losses"], one["direct"]["losses"])
    assert resumed["losses"]["ce"][0] == two[0]["direct"]["losses"]["ce"][0]


def test_bad_input_is_refused_in_all_processes(two):
    attention, uneven, damaged, row = two[0]["refused"]
    assert "a batch has 10 images, but method.batch_size = 20" in attention
    assert "set recipe.batch_size to that number for each process" in attention
    assert "21" in uneven and "2 processes" in uneven
    assert "delete it to start again" in damaged
    assert row == uneven


def test_a_run_and_what_it_needs_are_trained_by_all(folder, two):
    alone = run(folder / "one", "student")
    together = two[0]["record"]
    assert together == two[1]["record"]
    assert_close(together["curve"]["loss"], alone.curve["loss"])
    assert together["environment"]["processes"] == 2
    assert together["environment"]["backend"] == "gloo"
    assert alone.environment["processes"] == 1
    written = json.loads((folder / "two/results/quick/demo/student/seed0.json").read_text())
    assert written["metrics"] == together["metrics"]
    work = sorted(path.name for path in (folder / "two/runs/quick/demo/teacher/seed0").glob("model.*"))
    assert work == ["model.id", "model.safetensors"]


if __name__ == "__main__":
    worker(Path(sys.argv[1]))
