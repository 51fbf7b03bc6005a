"""Rows that inherit weights, rows that are another table's, rows that wait for what is not at hand."""

import pytest
import torch

from snnbook import cli, experiments
from snnbook.errors import UserError
from snnbook.experiments import report
from snnbook.experiments.matrix.plan import matrix
from snnbook.experiments.runs import record
from snnbook.experiments.runs.job import check_table, resolve
from snnbook.experiments.tables import tables
from snnbook.trainers.loop.weights import read

TABLE = """\
id: demo
paper: somebody
title: A table
source: "Somebody 2020, Table 1"
seeds: [0]
base:
  data: {name: digits, size: 8, train_per_class: 5, test_limit: 50}
  network: {name: convnet, width: 4, time_steps: 2, neuron: tet}
  recipe: {epochs: 3, batch_size: 25, augment: [crop]}
profiles: {quick: {}, paper: {recipe: {epochs: 4}}}
rows:
  - {id: short, label: Short, method: {name: tet}}
  - id: long  # it learns too slowly to move away from where it starts
    label: Long
    network: {time_steps: 5}
    method: {name: tet}
    recipe: {epochs: 1, learning_rate: 1e-12}
    inherits: demo/short
  - id: longer
    label: Longer
    network: {time_steps: 6}
    method: {name: tet}
    recipe: {epochs: 2}
    inherits: demo/long
  - {id: events, label: Events, method: {name: tet}, network: {time_steps: 10}, waits: event data}
  - {id: large, label: Large, method: {name: tet}, waits: {paper: a cluster}}
"""
OTHER = """\
id: other
paper: somebody
title: Another table
source: "Somebody 2020, Figure 1"
seeds: [0]
rows:
  - {id: again, label: Again, same: demo/short, paper: {snn: 93}}
  - {id: events, label: Events, same: demo/events}
"""


@pytest.fixture
def here(put_tables):
    return put_tables(demo=TABLE, other=OTHER)


def run(here, run_id, **options):
    options = {"device": "cpu", "progress": False, **options}
    return experiments.run(run_id, results=here / "results", work=here / "runs", **options)


def weights(here, row):
    return read(here / f"runs/quick/demo/{row}/seed0/model.safetensors")


def test_weights_and_statistics_are_inherited(here):
    """The parent is trained first; at a vanishing learning rate its weights stay, its statistics go on moving."""
    made = run(here, "demo/long")
    parent, child = weights(here, "short"), weights(here, "long")
    for name, tensor in parent.items():
        if "running" in name or "num_batches" in name:
            continue
        torch.testing.assert_close(child[name], tensor, atol=1e-9, rtol=0)
    # 2 steps an epoch: 6 updates of the parent's statistics and 2 of the child's.
    assert parent["network.backbone.stem.1.num_batches_tracked"] == 6
    assert child["network.backbone.stem.1.num_batches_tracked"] == 8
    assert made.measure["snn"]["time_steps"] == 5


def test_costs_add_up_over_phases(here):
    last = run(here, "demo/longer")
    costs = [run(here, f"demo/{row}").cost for row in ("short", "long")] + [last.cost]
    assert [cost["epoch_steps"] for cost in costs] == [3 * 2, 1 * 5, 2 * 6]
    assert costs[-1]["total_epoch_steps"] == 6 + 5 + 12
    assert costs[-1]["total_seconds"] == pytest.approx(sum(cost["seconds"] for cost in costs))


def test_changed_settings_reach_the_parent_but_not_its_time_steps(here):
    run = resolve("demo/long", overrides=["network.time_steps=7", "network.width=2", "method.lam=0.5"])
    parent = run.inherits.settings
    assert (parent.network.time_steps, parent.network.width, parent.method.lam) == (2, 2, 0.05)
    assert run.settings.network.time_steps == 7


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "network: {time_steps: 5}",
            "network: {time_steps: 1}",
            "T = 1 and inherits from demo/short with T = 2",
        ),
        ("inherits: demo/short", "inherits: demo/shrot", "did you mean 'short'"),
        ("inherits: demo/short", "inherits: demo/longer", "cannot need itself"),
        ("inherits: demo/short", "inherits: demo/large", "cannot be run in the paper profile"),
        ("waits: {paper: a cluster}", "waits: {papre: a cluster}", "unknown key 'papre'"),
    ],
)
def test_rows_that_make_no_sense(here, old, new, message):
    assert old in TABLE
    (here / "tables/demo.yaml").write_text(TABLE.replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        check_table(tables.load("demo"))


def test_a_row_of_two_tables_is_trained_once(here):
    made = run(here, "other/again")
    assert made.run == "demo/short"
    assert run(here, "demo/short") == made
    assert {task.name for task in matrix("quick", ["demo", "other"], results=here / "results")} == {
        f"demo/{r.id}" for r in tables.load("demo").rows
    }
    (line, _) = report("other", results=here / "results").lines
    assert (line.run, line.label, line.paper) == ("demo/short", "Again", 93)
    assert line.ours.mean == made.metrics["snn"]["last"]
    found = record.lookup("other/again:snn.last", results=here / "results")
    assert found.mean == made.metrics["snn"]["last"]


def test_a_row_that_is_anothers_sets_nothing_itself(here):
    (here / "tables/other.yaml").write_text(
        OTHER.replace("label: Again,", "label: Again, method: {name: tet},")
    )
    with pytest.raises(UserError, match="line 7: row 'again' is another's, so 'method' belongs there"):
        tables.load("other")


def test_rows_wait_and_say_for_what(here, capfd):
    with pytest.raises(UserError, match="cannot be run in the quick profile: event data"):
        run(here, "other/events")
    check_table(tables.load("demo"))
    lines = {line.label: line for line in report("demo", results=here / "results").lines}
    assert lines["Events"].waits == "event data"
    assert "Waits: event data." in lines["Events"].note
    assert lines["Large"].waits is None
    assert "waits" in report("demo", results=here / "results").text()
    assert cli.main(["reproduce", "demo", "--dry-run", "--results", str(here / "results")]) == 0
    out = capfd.readouterr().out
    assert "5 runs in the quick profile, 0 done, 4 to do" in out
    assert "waits: demo/events: event data" in out
    assert cli.main(["list", "other", "--results", str(here / "results")]) == 0
    assert "(= demo/short)" in capfd.readouterr().out


def test_a_row_waits_until_its_images_are_there(here, capfd):
    waiting = "waits: the images, until: pictures"
    (here / "tables/demo.yaml").write_text(TABLE.replace("waits: event data", waiting))
    data = here / "data"

    def row():
        (found,) = [task for task in matrix("quick", ["demo"], data=data) if task.name == "demo/events"]
        return found

    check_table(tables.load("demo"))  # its settings are looked at, though it waits
    assert row().waits == "the images"
    assert cli.main(["reproduce", "demo", "--dry-run", "--data", str(data)]) == 0
    assert "waits: demo/events: the images" in capfd.readouterr().out
    (data / "pictures").mkdir(parents=True)
    assert row().waits is None
    lines = {line.label: line for line in report("demo", results=here / "results").lines}
    assert lines["Events"].waits == "the images"
    run(here, "demo/events", overrides=["network.time_steps=2"])  # another run than the table's
    run(here, "demo/events")
    lines = {line.label: line for line in report("demo", results=here / "results").lines}
    assert lines["Events"].waits is None and lines["Events"].ours.n == 1
    assert "Waits" not in lines["Events"].note
    (here / "tables/demo.yaml").write_text(
        TABLE.replace("waits: event data", waiting).replace("network: {time_steps: 10}", "network: {tme: 1}")
    )
    with pytest.raises(UserError, match="'tme'"):
        check_table(tables.load("demo"))


def test_every_table_of_the_project_lists_what_it_waits_for():
    """Rows that cannot be run are listed, not dropped: events of SASTC, and what its owners alone give away."""
    assert all(row.waits.keys() == set(tables.PROFILES) for row in tables.load("sastc-table6").rows)
    for table, folder in (("tet-table3-events", "cifar10_dvs"), ("tet-table3-imagenet", "imagenet")):
        for row in tables.load(table).rows:
            assert row.waits.keys() == {"lab", "paper"} and row.until == folder
    for table in ("tet-figure2", "tet-figure3"):  # photographs in the other profiles
        assert all(row.waits.keys() == {"paper"} for row in tables.load(table).rows)
