"""What each command does.  What imports torch is imported when a command needs it."""

import argparse
import sys
import time
from pathlib import Path

from snnbook.errors import UserError, one_line
from snnbook.trainers.loop import processes


def list_tables(arguments: argparse.Namespace) -> None:
    """Every row with its label and, by profile, how many of the table's seeds have a record."""
    from snnbook.experiments.runs.record import records
    from snnbook.experiments.tables import tables

    chosen = tables.names() if arguments.table is None else [arguments.table]
    if not chosen:
        raise UserError(f"no tables in {tables.folder()}; expected *.yaml files there")
    for name in chosen:
        table = tables.load(name)
        print(f"{table.id}: {table.title} ({table.source})")
        width = max(len(f"{table.id}/{row.id}") for row in table.rows)
        for row in table.rows:
            owner, trained = tables.find(f"{table.id}/{row.id}")
            done = []
            for profile in owner.profiles:
                seeds = owner.seeds_in(profile)
                count = len(records(f"{owner.id}/{trained.id}", profile, seeds, arguments.results))
                waits = profile in trained.waits and not count
                done.append(f"{profile} {'waits' if waits else f'{count}/{len(seeds)}'}")
            same = f" (= {row.same})" if row.same else ""
            run = f"{table.id}/{row.id}".ljust(width)
            print(f"  {run}  {row.label}{same}  [seeds run: {', '.join(done)}]")
            for reason in dict.fromkeys(trained.waits.values()):
                print(f"  {' ' * width}  waits: {reason}")


def run(arguments: argparse.Namespace) -> None:
    """Runs of a row or several, by their notebook or bare; one of several that fails does not stop the others."""
    from contextlib import nullcontext

    from snnbook.experiments.matrix.cards import own_card
    from snnbook.experiments.matrix.owner import end_with_owner
    from snnbook.experiments.runs.notebook import NotebookFailed

    failed = 0
    end_with_owner()
    with own_card() if arguments.own_card else nullcontext():
        runs = [(run_id, seed) for run_id in arguments.run_ids for seed in arguments.seed]
        for run_id, seed in runs:
            try:
                _run(arguments, run_id, seed)
            except (UserError, NotebookFailed) as error:
                if len(runs) == 1 and isinstance(error, UserError):
                    raise
                print(f"snnbook: {run_id}, seed {seed}: {one_line(error)}", file=sys.stderr)
                failed += 1
    if failed:
        sys.exit(1)


def _run(a: argparse.Namespace, run_id: str, seed: int) -> None:
    from snnbook.experiments.runs import notebook, record
    from snnbook.experiments.runs.job import resolve
    from snnbook.experiments.runs.run import finish

    asked = resolve(run_id, seed, a.profile, a.recipe, a.overrides, a.results, a.work)
    stood = asked.record_path.is_file()
    if not (stood or a.bare or processes.launched()):
        executed = notebook.execute(asked, data=a.data, device=a.device, progress=not a.quiet)
        if not a.quiet:
            print(f"notebook: {_short(executed)}")
        made = record.read(asked.record_path)  # it alone proves that the run is done
    else:
        made = finish(asked, data=a.data, device=a.device, progress=not a.quiet, weights=a.weights)
    if processes.rank() or a.quiet:
        return
    for name, metrics in made.metrics.items():
        best = f"best {metrics['best']:.2f} % after epoch {metrics['best_epoch']}"
        print(f"{name.upper()}: {metrics['last']:.2f} % of the test images ({best})")
    print(f"record: {_short(asked.record_path)}")
    if stood:
        print(f"It stands since {made.created}; to compute it again, choose another --results.")


def reproduce(arguments: argparse.Namespace) -> None:
    """The matrix: the plan, the runs as they end, and those that failed."""
    from snnbook.experiments.matrix import cards, engine
    from snnbook.experiments.matrix.prepare import duration, prepare
    from snnbook.experiments.tables import tables

    if processes.launched():
        raise UserError(
            "snnbook reproduce starts processes itself; call it without torchrun, or 'snnbook run' with it"
        )
    a = arguments
    profile = a.profile
    if profile is None:
        profile = "lab" if cards.cards() else "quick"
        reason = "an NVIDIA GPU is here" if profile == "lab" else "no NVIDIA GPU is here"
        print(f"{reason}, so the profile is {profile}; --profile chooses another")
    options = {name: getattr(a, name) for name in ("results", "work", "data", "bare", "cores", "executor")}
    matrix = prepare(profile, a.tables, a.seeds or (), **options)
    print(matrix.text(), flush=True)
    if a.dry_run:
        for step in matrix.steps:
            print(f"  {step.row}, seed {', '.join(map(str, step.seeds))}")
        others = [each for each in tables.PROFILES if each != profile] if a.profile is None else []
        for other in others:
            print(prepare(other, a.tables, a.seeds or (), **options).estimate(), flush=True)
        return
    total, start = len(matrix.todo), time.monotonic()

    def show(made, left: int) -> None:
        shown = ", ".join(f"{name.upper()} {values['last']:.2f} %" for name, values in made.metrics.items())
        rest = duration((time.monotonic() - start) * left / (total - left))
        print(f"[{total - left}/{total}, {rest} left] {made.run}, seed {made.seed}: {shown}", flush=True)

    failed = engine.reproduce(matrix, show)
    for one in failed:
        print(f"failed: {one.task.name}, seed {one.task.seed}: {one.reason} (log {_short(one.log)})")
    if failed:
        sys.exit(f"snnbook: {len(failed)} of {total} runs failed; the same command tries them again")


def bench(arguments: argparse.Namespace) -> None:
    """Speed, as ratios."""
    from snnbook import bench as benchmark

    benchmark.main(arguments.groups, arguments.device, arguments.rounds, arguments.results)


def report(arguments: argparse.Namespace) -> None:
    """One table or all, paper vs ours."""
    from snnbook import experiments
    from snnbook.experiments.tables import tables

    for index, name in enumerate(tables.names() if arguments.table is None else [arguments.table]):
        which = "best" if arguments.best else "last"
        made = experiments.report(
            name, arguments.profile, recipe=arguments.recipe, which=which, results=arguments.results
        )
        print("\n" if index and arguments.format != "csv" else "", end="")
        print(getattr(made, arguments.format)(), end="" if arguments.format == "csv" else "\n")


def claims(arguments: argparse.Namespace) -> None:
    """The ledger of claims with its verdicts."""
    from snnbook.experiments.evidence import judge, verdicts

    found = judge.judged(arguments.profile, arguments.claims, arguments.results)
    print(getattr(verdicts, arguments.format)(found))


def receipt(arguments: argparse.Namespace) -> None:
    """A reader's runs beside the book's."""
    from snnbook import files
    from snnbook.experiments.evidence import receipt as receipts

    path = receipts.place(arguments.output or arguments.results / "receipt.md")
    page = receipts.receipt(arguments.results, arguments.runs, arguments.profile).markdown()
    files.write_text(path, page)
    print(page)
    print(f"written to {_short(path)}")


def check(arguments: argparse.Namespace) -> None:
    """All that is committed, looked over."""
    from snnbook.experiments.evidence.check import check as look
    from snnbook.experiments.evidence.check import migrate

    if arguments.migrate:
        for path, reason in migrate(arguments.results).items():
            print(f"- {_short(path)} stays as it is, and has to be made again: {reason}")
    checked = look(arguments.results)
    for line in checked.problems:
        print(f"- {line}")
    looked = ", ".join(f"{count} {name}" for name, count in checked.counts.items())
    found = len(checked.problems)
    print(f"{looked}: {f'{found} problem' + 's' * (found > 1) if found else 'all in order'}")
    if checked.problems:
        sys.exit(1)


def doctor(arguments: argparse.Namespace) -> None:
    """One screen on this installation."""
    from snnbook.doctor import screen

    text, works = screen(arguments.data)
    print(text)
    if not works:
        sys.exit(1)


def _short(path: Path) -> str:
    """Relative to the current folder if it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
