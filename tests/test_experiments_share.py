"""A run takes the threads that pay, keeps their number over a kill, and its record tells it."""

import copy
import json
from contextlib import nullcontext

import pytest
import torch

from killing import Killed
from snnbook import experiments, threads
from snnbook.analysis import training_flops
from snnbook.backbones import NetworkConfig
from snnbook.experiments.runs import provenance, record, share, training
from snnbook.experiments.runs.job import resolve
from snnbook.trainers import Direct, JointASNN
from snnbook.trainers.loop import checkpoint
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.loop.trial import Trial

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0]
base:
  data: {name: digits, size: 8, train_per_class: 4, test_limit: 50}
  network: {name: convnet, width: 4, time_steps: 2, neuron: tet}
  recipe: {epochs: 2, batch_size: 20}
profiles: {quick: {}}
rows:
  - {id: snn, label: SNN, method: {name: direct}}
"""
NETWORK = NetworkConfig("convnet", width=4, time_steps=2)
RECIPE = Recipe(epochs=1, batch_size=20)


@pytest.fixture
def here(put_tables, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "free", lambda: 2)
    return put_tables(demo=TABLE)


def run(here, name="a", **options):
    places = {"results": here / name / "results", "work": here / name / "runs"}
    return experiments.run("demo/snn", device="cpu", progress=False, **places, **options)


def killed(here, monkeypatch, name="a"):
    """The run is killed when its first checkpoint stands."""
    save = checkpoint.save

    def dying(*what):
        save(*what)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", dying)
        with pytest.raises(Killed):
            run(here, name)


def chosen(made):
    return made.environment["threads"], made.environment["threads_why"]


def pretend(monkeypatch, work, seconds):
    """Steps that compute and take what the test says."""
    monkeypatch.setattr(Trial, "work", lambda self: work)
    monkeypatch.setattr(Trial, "seconds", lambda self, counts: {n: seconds[n] for n in counts})


def test_a_small_run_takes_one_thread_and_leaves_torchs_number_alone(here):
    before = torch.get_num_threads()
    count, why = chosen(run(here))
    assert count == 1 and "GFLOP a step are few" in why
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("faster", "count"), [(0.5, 2), (0.99, 1), (270.0, 1)])
def test_a_large_run_takes_what_its_trial_says(here, monkeypatch, faster, count):
    pretend(monkeypatch, 1e12, {1: 0.1, 2: 0.1 * faster})
    found, why = chosen(run(here))
    assert found == count
    assert why == f"milliseconds a step by threads, 2 cores free: 1: 100, 2: {100 * faster:.3g}"


def test_without_a_free_core_nothing_is_tried(here, monkeypatch):
    monkeypatch.setattr(threads, "free", lambda: 1)
    monkeypatch.setattr(Trial, "__init__", lambda *_: pytest.fail("tried"))
    assert chosen(run(here)) == (1, "one core was free")


def test_a_number_that_was_asked_for_is_taken(here, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(Trial, "__init__", lambda *_: pytest.fail("tried"))
    assert chosen(run(here)) == (torch.get_num_threads(), "OMP_NUM_THREADS=1")


def test_the_choice_changes_no_digit(here, monkeypatch):
    """A trial draws no number and trains nothing: only the number of threads counts."""
    tried = run(here)
    monkeypatch.setattr(threads, "free", lambda: 1)
    plain = run(here, "b")
    assert chosen(tried) != chosen(plain)
    assert (tried.metrics, tried.curve, tried.weights) == (plain.metrics, plain.curve, plain.weights)


def test_a_killed_run_goes_on_with_its_number(here, monkeypatch):
    pretend(monkeypatch, 1e12, {1: 0.1, 2: 0.01})
    killed(here, monkeypatch)
    monkeypatch.setattr(threads, "free", lambda: pytest.fail("chosen anew"))
    count, why = chosen(run(here))
    assert count == 2 and why.startswith("milliseconds a step")
    assert not list(here.rglob("share.json"))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[2]", b'{"threads": 0, "why": ""}', b'{"threads": "2", "why": ""}']
)
def test_a_number_that_is_no_more_whole_is_chosen_anew(here, content):
    asked = resolve("demo/snn", results=here / "results", work=here / "runs")
    asked.folder.mkdir(parents=True)
    asked.checkpoint.write_bytes(b"one")
    share.place(asked).write_bytes(content)
    assert share._kept(asked) is None
    share.place(asked).write_text(json.dumps({"threads": 2, "why": "so"}))
    assert share._kept(asked) == share.Share(2, "so")
    asked.checkpoint.unlink()  # left by a kill before the first epoch was over
    assert share._kept(asked) is None


def test_weights_trained_again_are_those_of_the_record(here, monkeypatch):
    pretend(monkeypatch, 1e12, {1: 0.1, 2: 0.01})
    made = run(here)
    (weights,) = here.rglob("model.safetensors")
    before = weights.read_bytes()
    weights.unlink()
    used = []
    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *a, **k: used.append(torch.get_num_threads()) or fit(*a, **k))
    monkeypatch.setattr(threads, "free", lambda: pytest.fail("chosen anew"))
    assert run(here, weights=True) == made
    assert used == [made.environment["threads"]] == [2]
    assert weights.read_bytes() == before


def test_records_of_before_say_no_reason_and_can_be_read(here):
    run(here)
    (path,) = (here / "a/results").rglob("*.json")
    content = json.loads(path.read_text())
    del content["environment"]["threads_why"]
    made = record.Record(**{key: value for key, value in content.items() if key != "checksum"})
    record.write(made, path)
    assert record.read(path) == made


# The trial


@pytest.mark.parametrize("kind", [Direct, JointASNN])
def test_a_trial_leaves_method_order_and_random_numbers_as_they_are(data, kind):
    torch.manual_seed(0)
    method = kind(kind.Config(), NetworkConfig("resnet18", width=4, time_steps=2), 10, 1)
    before, state = copy.deepcopy(method.state_dict()), torch.get_rng_state()
    trial = Trial(method, data, RECIPE)
    assert trial.work() > 0
    assert trial.seconds((1, 2)).keys() == {1, 2}
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert all(parameter.grad is None for parameter in method.parameters())


def test_the_work_of_a_step_is_counted_as_by_the_analysis(data):
    method = Direct(Direct.Config(), NETWORK, 10, 1)
    counted = training_flops(lambda: Direct(Direct.Config(), NETWORK, 10, 1), (20, 1, 8, 8))
    assert Trial(method, data, RECIPE).work() == counted


def test_torch_has_its_own_number_again_after_a_trial_that_fails(data, monkeypatch):
    trial = Trial(Direct(Direct.Config(), NETWORK, 10, 1), data, RECIPE)
    before = torch.get_num_threads()

    def fail(self):
        raise ArithmeticError

    monkeypatch.setattr(Trial, "__call__", fail)
    with pytest.raises(ArithmeticError):
        trial.seconds((before + 1,))
    assert torch.get_num_threads() == before


def test_a_record_and_a_kill_keep_their_number_against_the_environment(here, monkeypatch):
    pretend(monkeypatch, 1e12, {1: 0.1, 2: 0.01})
    assert chosen(run(here))[0] == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    asked = resolve("demo/snn", 0, "quick", results=here / "a/results", work=here / "a/runs")
    made = record.read(asked.record_path)
    asked.weights.unlink()
    assert run(here, weights=True).weights == made.weights
    taken = []
    monkeypatch.setattr(share.Share, "used", lambda self: taken.append(self) or nullcontext(self))
    asked.weights.unlink()
    run(here, weights=True)
    assert [(one.threads, one.why) for one in taken] == [(2, "as the record has it")]


def test_a_run_that_went_on_elsewhere_says_where_it_was(here, monkeypatch):
    whole = run(here)
    assert "earlier" not in whole.environment
    killed(here, monkeypatch, "b")
    monkeypatch.setattr(provenance, "device_name", lambda device: "another machine")
    made = run(here, "b")
    (before,) = made.environment["earlier"]
    assert f"device {whole.environment['device']}" in before and "another machine" not in before
    assert made.metrics == whole.metrics
    assert not list((here / "b/runs").rglob("made_on.json"))


def test_a_run_that_went_on_where_it_was_or_began_anew_was_nowhere_else(here, monkeypatch):
    killed(here, monkeypatch)
    assert "earlier" not in run(here).environment
    killed(here, monkeypatch, "b")
    (checkpoint_,) = (here / "b/runs").rglob("checkpoint.pt")
    checkpoint_.unlink()
    monkeypatch.setattr(provenance, "device_name", lambda device: "another machine")
    assert "earlier" not in run(here, "b").environment
