"""What each command does.  What imports torch is imported when a command needs it."""

import argparse
import sys
import time
from pathlib import Path

from snnbook.errors import UserError, one_line
from snnbook.trainers.loop import processes


def list_tables(arguments: argparse.Namespace) -> None:
    """The tables, or the rows of one."""
    from snnbook.cli import listing

    if arguments.table is not None:
        lines = listing.of_rows(arguments.table, arguments.results)
    else:
        lines = listing.of_tables(arguments.results)
    for line in lines:
        print(line)
    if arguments.table is None:
        print("\nruns with a record / all; snnbook list TABLE shows its rows")
    _tell_others(arguments.table, arguments.results)
    _tell_records(arguments.results)


def run(arguments: argparse.Namespace) -> None:
    """Runs of rows or tables, by their notebook or bare; one of several that fails does not stop the others.

    Of processes that train together one may fail alone, while the others wait for it in the middle of the run.  So
    theirs is the last: the command ends, and with it all of them.
    """
    from contextlib import nullcontext

    from snnbook.experiments.matrix.cards import own_card
    from snnbook.experiments.matrix.owner import end_with_owner
    from snnbook.experiments.runs.notebook import NotebookFailed

    failed = 0
    runs = _asked(arguments)
    end_with_owner()
    with own_card() if arguments.own_card else nullcontext():
        for number, (run_id, seed) in enumerate(runs, 1):
            if len(runs) > 1 and not (processes.rank() or arguments.quiet):
                print(f"[{number}/{len(runs)}] {run_id}, seed {seed}", flush=True)
            try:
                _run(arguments, run_id, seed)
            except (UserError, NotebookFailed) as error:
                if (len(runs) == 1 or processes.size() > 1) and isinstance(error, UserError):
                    raise
                print(f"snnbook: {run_id}, seed {seed}: {one_line(error)}", file=sys.stderr)
                failed += 1
    if failed:
        sys.exit(1)


def _asked(a: argparse.Namespace) -> list[tuple[str, int]]:
    """Rows and seeds, in turn; a table stands for all of its rows that can be run in this profile."""
    from snnbook.experiments.matrix import plan
    from snnbook.experiments.runs.job import resolve
    from snnbook.experiments.tables import tables

    a.seed = a.seed or [0]
    runs: dict[tuple[str, int], None] = {}
    for name in a.run_ids:
        if name not in tables.names():
            resolve(name, 0, a.profile, a.recipe, a.overrides, a.results, a.work)  # a slip is told at once
            runs |= dict.fromkeys((name, seed) for seed in a.seed)
            continue
        rows = plan.asked(a.profile, [name], a.seed, a.data, a.overrides)
        waiting = {row: reason for (row, _), reason in rows.items() if reason}
        reasons = "; ".join(dict.fromkeys(waiting.values()))
        if len(waiting) == len({row for row, _ in rows}):
            raise UserError(f"no row of {name} can be run in the {a.profile} profile: {reasons}")
        runs |= dict.fromkeys(run for run, reason in rows.items() if not reason)
        if reasons and not (processes.rank() or a.quiet):
            count = "1 row waits" if len(waiting) == 1 else f"{len(waiting)} rows wait"
            print(f"{name}: {count}: {reasons}", file=sys.stderr)
    return list(runs)


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

    csv = arguments.format == "csv"
    for index, name in enumerate(tables.names() if arguments.table is None else [arguments.table]):
        which = "best" if arguments.best else "last"
        made = experiments.report(
            name, arguments.profile, recipe=arguments.recipe, which=which, results=arguments.results
        )
        shown = getattr(made, arguments.format)()
        if csv and index:  # one head for all
            shown = shown.partition("\n")[2]
        if arguments.format == "markdown":
            shown = f"### {made.title}\n\n{shown}\n\n{made.caption()}"
        print("\n" if index and not csv else "", end="")
        print(shown, end="" if csv else "\n")
    _tell_others(arguments.table, arguments.results, arguments.format)
    _tell_records(arguments.results, arguments.format)


def claims(arguments: argparse.Namespace) -> None:
    """The ledger of claims with its verdicts."""
    from snnbook.experiments.evidence import judge, verdicts

    found = judge.judged(arguments.profile, arguments.claims, arguments.results)
    print(getattr(verdicts, arguments.format)(found))
    _tell_others(None, arguments.results, arguments.format)
    _tell_records(arguments.results, arguments.format)


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


def _tell_others(table: str | None, results: Path | None, form: str = "text") -> None:
    """Records that no table counts, since their seed is none of its, and those of other settings than today."""
    from snnbook.cli import listing

    for line in filter(None, (listing.others(table, results), listing.outdated(table, results))):
        print(line, file=sys.stdout if form == "text" else sys.stderr)


def _tell_records(results: Path | None, form: str = "text") -> None:
    """Where records were read, if nobody said where and it is not below the current folder."""
    from snnbook.experiments.runs import record

    places = [place.absolute() for place in record.places(results)]
    if results is None and not any(place.is_relative_to(Path.cwd()) for place in places):
        said = " and ".join(map(str, places))
        line = f"records read from {said}; --results names another folder"
        print(line, file=sys.stdout if form == "text" else sys.stderr)  # no program would expect it


def _short(path: Path) -> str:
    """Relative to the current folder if it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
