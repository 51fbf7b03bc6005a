"""Networks that are kept: made of a run's weights, opened by name, checked by digest, refused in one line."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import snnbook
from bad_input import one_line
from snnbook import experiments
from snnbook.data import DataConfig, load, test_batches
from snnbook.experiments.runs import kept, record
from snnbook.trainers.loop.weights import read, save_weights

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0, 1]
base:
  data: {name: digits, size: 8, train_per_class: 10, test_limit: 100}
  network: {name: convnet, width: 4, time_steps: 2, neuron: tet}
  recipe: {epochs: 2, batch_size: 20, learning_rate: 0.01, augment: []}
profiles: {quick: {}, desk: {}}
rows:
  - {id: ann, label: ANN, method: {name: direct, train: ann}}
  - {id: snn, label: SNN, method: {name: direct}}
  - {id: joint, label: Joint, network: {name: resnet18, width: 2, time_steps: 2}, method: {name: joint}}
  - id: sastc
    label: SASTC
    method: {name: sastc, batch_size: 20}
    needs: [demo/ann]
  - {id: theirs, label: snnTorch, network: {name: resnet18, width: 2}, method: {name: snntorch}}
"""
OTHER = """\
id: other
paper: somebody
title: Another table
source: "Somebody 2020, Figure 1"
seeds: [0]
rows:
  - {id: again, label: Again, same: demo/joint}
"""
ROWS = ("ann", "snn", "joint", "sastc")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Runs of all rows, and those that are kept."""
    home = tmp_path_factory.mktemp("kept")
    (home / "tables").mkdir()
    (home / "tables/demo.yaml").write_text(TABLE)
    (home / "tables/other.yaml").write_text(OTHER)
    places = {"results": home / "results", "work": home / "runs"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNBOOK_EXPERIMENTS", str(home / "tables"))
        for row in (*ROWS, "theirs"):
            experiments.run(f"demo/{row}", profile="desk", device="cpu", progress=False, **places)
        for row in ROWS:
            experiments.save_pretrained(f"desk/demo/{row}", **places)
        yield SimpleNamespace(home=home, **places)


@pytest.fixture
def here(trained, tmp_path):
    """A copy of them, to be damaged."""
    shutil.copytree(trained.home, tmp_path / "home")
    home = tmp_path / "home"
    return SimpleNamespace(home=home, results=home / "results", work=home / "runs")


def open_(here, name="desk/demo/snn", *more):
    return snnbook.load_pretrained(name, *more, results=here.results)


def file(here, row="snn"):
    return here.results / f"desk/demo/{row}/seed0.safetensors"


def keep(here, name="desk/demo/snn", seed=0):
    return experiments.save_pretrained(name, seed, results=here.results, work=here.work)


@pytest.fixture(scope="module")
def digits():
    return load(DataConfig(name="digits", size=8, train_per_class=10, test_limit=100))


@pytest.mark.parametrize(
    ("row", "kind"), [("snn", "snn"), ("joint", "snn"), ("joint", "ann"), ("sastc", "snn")]
)
def test_it_predicts_what_the_run_s_network_predicts(trained, digits, row, kind):
    """Up to bfloat16: a weight is off by less than one part in 256, and a spike may be another."""
    network = open_(trained, f"desk/demo/{row}", kind)
    assert not network.training and all(p.dtype == torch.float32 for p in network.parameters())
    images, labels = next(test_batches(digits, 100))
    with torch.no_grad():
        logits = network(images)
        logits = logits.mean(0) if kind == "snn" else logits
    entry = kept.index(trained.results)[f"desk/demo/{row}"]
    assert 100 * (logits.argmax(1) == labels).float().mean().item() == pytest.approx(entry.accuracy[kind])
    (made,) = record.records(f"demo/{row}", "desk", [0], trained.results)
    assert entry.accuracy[kind] == pytest.approx(made.metrics[kind]["last"], abs=5)


def test_an_accuracy_is_kept_of_the_weights_that_are_kept(here, monkeypatch):
    tested = []
    monkeypatch.setattr(
        kept, "evaluate", lambda method, *_: tested.extend(method.parameters()) or {"snn": 7.0}
    )
    written = read(keep(here))
    assert len(tested) > 2 and all(torch.equal(p, p.bfloat16().float()) for p in tested)
    assert json.loads((here.results / kept.INDEX).read_text())["desk/demo/snn"]["accuracy"] == {"snn": 7.0}
    assert sum(p.numel() for p in tested) <= sum(value.numel() for value in written.values())


def test_weights_are_those_of_the_run_to_bfloat16(trained):
    left = read(trained.work / "desk/demo/snn/seed0/model.safetensors")
    found = open_(trained).state_dict()
    assert list(found) == [name.removeprefix("network.") for name in left]
    for name, value in left.items():
        rounded = value.bfloat16().float() if value.is_floating_point() else value
        assert torch.equal(found[name.removeprefix("network.")], rounded)


def test_factors_become_plain_layers_and_helpers_stay_behind(trained):
    """What is kept of joint and SASTC has the layers of a network alone."""
    for row in ("joint", "sastc"):
        network = open_(trained, f"desk/demo/{row}")
        assert isinstance(network, snnbook.SpikingNetwork)
        (made,) = record.records(f"demo/{row}", "desk", [0], trained.results)
        settings = snnbook.NetworkConfig(**made.config["network"])
        alone = snnbook.build_snn(settings, 10, 1)
        assert list(network.state_dict()) == list(alone.state_dict())
    both = read(file(trained, "joint"))
    assert {name.partition(".")[0] for name in both} == {"snn", "ann"}
    assert {value.dtype for value in both.values() if value.is_floating_point()} == {torch.bfloat16}


def test_the_snn_comes_first_and_a_row_of_another_table_is_found(trained):
    assert isinstance(open_(trained, "desk/demo/joint"), snnbook.SpikingNetwork)
    assert not isinstance(open_(trained, "desk/demo/ann"), snnbook.SpikingNetwork)
    again, same = open_(trained, "desk/other/again"), open_(trained, "desk/demo/joint")
    for one, other in zip(again.parameters(), same.parameters(), strict=True):
        assert torch.equal(one, other)


def test_keeping_again_changes_no_byte(here):
    before = file(here).read_bytes(), (here.results / kept.INDEX).read_bytes()
    assert keep(here) == file(here)
    assert (file(here).read_bytes(), (here.results / kept.INDEX).read_bytes()) == before


def test_names_that_are_not_there(trained):
    one_line(lambda: open_(trained, "desk/demo/snm"), "did you mean 'desk/demo/snn'")
    one_line(lambda: open_(trained, "desk/other/agian"), "did you mean 'desk/other/again'")
    one_line(lambda: open_(trained, "desk/demo/theirs"), "no trained weights")
    one_line(lambda: open_(trained, "demo/snn"), "desk/demo/snn")
    one_line(lambda: open_(trained, "lab/demo/snn"), "desk/demo/snn")
    one_line(lambda: open_(trained, 3), "no trained weights 3")
    one_line(lambda: open_(trained, "desk/demo/snn", "ann"), "no network 'ann'; expected snn")
    one_line(lambda: open_(trained, "desk/demo/joint", "cnn"), "expected snn or ann")


@given(st.text(max_size=30) | st.none() | st.integers() | st.lists(st.text(max_size=3), max_size=2))
@settings(deadline=None, max_examples=40)
def test_no_name_breaks_it(trained, name):
    one_line(lambda: open_(trained, name), "no trained weights")


def test_nothing_is_kept_yet(tmp_path):
    one_line(lambda: snnbook.load_pretrained("desk/demo/snn", results=tmp_path), "known: none")


def test_a_file_that_is_missing(here):
    file(here).unlink()
    one_line(lambda: open_(here), "desk/demo/snn are missing", "git")


def test_other_weights_than_the_index_tells_of(here):
    shutil.copy(file(here, "ann"), file(here))
    one_line(lambda: open_(here), kept.INDEX, "fetch both again")


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(deadline=None, max_examples=15)
def test_a_byte_that_changed_is_noticed(trained, at, change):
    content = bytearray(file(trained).read_bytes())
    place = at % len(content)
    content[place] ^= change
    other = trained.home / "damaged"
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(trained.results, other)
    (other / "desk/demo/snn/seed0.safetensors").write_bytes(content)
    before = read(file(trained))
    try:
        found = snnbook.load_pretrained("desk/demo/snn", results=other).state_dict()
    except snnbook.UserError as error:
        assert "\n" not in str(error)
    else:  # a byte of the note that says nothing of the weights
        for name, value in before.items():
            own = found[f"backbone.{name.removeprefix('snn.')}"]
            assert torch.equal(own, value.to(own.dtype))


def test_a_record_that_is_missing_or_was_made_anew(here):
    path = file(here).with_suffix(".json")
    made = record.read(path)
    path.unlink()
    one_line(lambda: open_(here), "record of desk/demo/snn", "missing")
    record.write(record.Record(**{**vars(made), "weights": "0" * 64}), path)
    one_line(lambda: open_(here), "run again", "000000000000")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"desk/demo/snn": 1}', '{"desk/demo/snn": {"seed": 0}}', "[" * 100_000]
)
def test_a_damaged_index(here, text):
    (here.results / kept.INDEX).write_text(text)
    one_line(lambda: open_(here), kept.INDEX, "restore it from git")


def test_runs_that_cannot_be_kept(here):
    one_line(lambda: keep(here, seed=1), "demo/snn, seed 1, has no record in the desk profile")
    one_line(lambda: keep(here, "desk/demo/snm"), "did you mean 'snn'")
    one_line(lambda: keep(here, "desc/demo/snn"), "desk")
    one_line(lambda: keep(here, "demo/snn"), "no experiment")
    one_line(lambda: keep(here, "desk/demo/theirs"), "a network of its own")
    weights = here.work / "desk/demo/snn/seed0/model.safetensors"
    save_weights(open_(here), weights)
    one_line(lambda: keep(here), "not those that the record", weights.parent)
    weights.unlink()
    one_line(lambda: keep(here), "no trained weights at")


def test_what_git_would_keep_for_ever_is_small(here, monkeypatch):
    before = (here.results / kept.INDEX).read_text()
    monkeypatch.setattr(kept, "LARGEST", 1000)
    one_line(lambda: keep(here), "MB in bfloat16", "0.001")
    assert (here.results / kept.INDEX).read_text() == before


def test_the_index_is_read_by_people(trained):
    entries = json.loads((trained.results / kept.INDEX).read_text())
    assert list(entries) == sorted(f"desk/demo/{row}" for row in ROWS)
    assert entries["desk/demo/joint"].keys() == {"seed", "digest", "trained", "accuracy"}
    assert entries["desk/demo/joint"]["accuracy"].keys() == {"snn", "ann"}


@pytest.mark.parametrize("name", sorted(kept.index(record.folder())) or [None])
def test_what_is_committed_opens_and_has_kept_its_accuracy(name):
    if name is None:
        pytest.skip("nothing is kept yet")
    entry = kept.index(record.folder())[name]
    path = record.folder() / name / f"seed{entry.seed}.safetensors"
    assert path.stat().st_size <= kept.LARGEST
    made = record.read(path.with_suffix(".json"))
    for kind, accuracy in entry.accuracy.items():
        snnbook.load_pretrained(name, kind)
        assert abs(accuracy - made.metrics[kind]["last"]) < 0.5
