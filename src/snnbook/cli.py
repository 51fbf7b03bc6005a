"""The command line.  What imports torch is imported when a command needs it, so that help answers at once."""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

from snnbook import __version__, processes
from snnbook.errors import UserError

PROFILES = ("quick", "lab", "paper")
RECIPES = ("paper", "official")
EXECUTORS = ("slurm", "kubernetes")

EXAMPLES = dedent("""\
    examples:
      snnbook list                                  every table, its rows, and which of them have been run
      snnbook run joint-table4/snn                  train one row in the quick profile, seed 0
      snnbook run joint-table4/snn --seed 1         another seed
      snnbook run joint-table4/snn --set recipe.epochs=2
                                                    try something; it never passes for the table's row
      snnbook run joint-table4/all --profile lab --data data
                                                    on CIFAR-10 in the folder data, for one GPU
      torchrun --nproc-per-node 4 -m snnbook run joint-table4/all --profile paper --data data
                                                    one run on four GPUs
      snnbook reproduce --dry-run                   every row and seed that has no record yet
      snnbook report joint-table4                   the paper's numbers beside ours
      snnbook claims                                what the papers claim, and what our runs say of it
      snnbook receipt --results mine                your runs beside the book's, on one page
      snnbook doctor                                what is installed, which device, where data is read

    A run that was interrupted or killed goes on where it was when the same command is given again.
    Exit codes: 0 done, 1 failed, 2 bad input (one line says what), 130 and 143 interrupted.
    Environment: SNNBOOK_DATA names the data folder, SNNBOOK_EXPERIMENTS a folder of your own tables.
    """)


RUN = dedent("""\
    Train one row of a table; do nothing if its record stands, go on if it was interrupted.

    Under torchrun all processes, on one node or several, train this one run together: always --bare, each on
    a GPU of its own or on the CPU.  recipe.batch_size counts the images of all of them (method.batch_size of
    SASTC those of each), and --set recipe.sync_batchnorm=true makes their BatchNorms one, so that the loss
    curve is that of a single process.  --work, --results and --data must be folders that all nodes see.
    """)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything here does."""

    def error(self, message: str):
        print(f"snnbook: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def parser() -> Parser:
    """All commands and their options."""
    raw = argparse.RawDescriptionHelpFormatter
    top = Parser(
        prog="snnbook",
        description="Rerun the tables of papers on spiking neural networks, and trace every number to its run.",
        epilog=EXAMPLES,
        formatter_class=raw,
    )
    top.add_argument("--version", action="version", version=f"snnbook {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)

    listing = commands.add_parser("list", help="the tables, their rows, and what has been run")
    listing.add_argument("table", nargs="?", help="one table; all by default")
    listing.add_argument("--results", type=Path, metavar="DIR", help="folder of records")
    listing.set_defaults(command=list_tables)

    running = commands.add_parser(
        "run",
        help="train one row of a table and write its record",
        description=RUN,
        formatter_class=raw,
    )
    running.add_argument("run_id", metavar="ID", help="<table>/<row>, see 'snnbook list'")
    running.add_argument(
        "--seed",
        type=int,
        nargs="+",
        default=[0],
        help="of weights, order and augmentation; several run in turn (0)",
    )
    _profile(running)
    _recipe(running)
    running.add_argument("--data", type=Path, metavar="DIR", help="folder of data sets that are not bundled")
    running.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        dest="overrides",
        help="change a setting of data, network, method or recipe; may be repeated",
    )
    running.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (auto)")
    running.add_argument(
        "--results", type=Path, metavar="DIR", help="folder the record is written to (results)"
    )
    running.add_argument("--work", type=Path, metavar="DIR", help="folder of checkpoints and weights (runs)")
    text = "without the notebook: where Jupyter is missing, and always under torchrun"
    running.add_argument("--bare", action="store_true", help=text)
    running.add_argument(
        "--weights", action="store_true", help="train again if the record stands without weights"
    )
    running.add_argument("--own-card", action="store_true", help="wait for a GPU no other such run uses")
    running.add_argument("--quiet", action="store_true", help="no progress bar")
    running.set_defaults(command=run)

    reproducing = commands.add_parser(
        "reproduce",
        help="train every row of every table that has no record yet",
        description="Train every row and seed that has no record yet, several at a time; name those that failed.",
        formatter_class=raw,
    )
    reproducing.add_argument("tables", nargs="*", metavar="TABLE", help="only these; all by default")
    reproducing.add_argument(
        "--profile",
        choices=PROFILES,
        help="as of 'snnbook run' (lab where there is an NVIDIA GPU, else quick)",
    )
    reproducing.add_argument("--seeds", type=int, nargs="+", help="instead of each table's own")
    reproducing.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of data sets that are not bundled"
    )
    reproducing.add_argument("--results", type=Path, metavar="DIR", help="folder of records (results)")
    reproducing.add_argument(
        "--work", type=Path, metavar="DIR", help="folder of checkpoints, weights and logs (runs)"
    )
    reproducing.add_argument("--cores", type=int, help="CPU cores to use (all)")
    reproducing.add_argument(
        "--executor", choices=EXECUTORS, help="submit to a cluster, see workflow/profiles (this machine)"
    )
    reproducing.add_argument("--bare", action="store_true", help="without notebooks, as quick always is")
    reproducing.add_argument("--dry-run", action="store_true", help="say what would be run, and run nothing")
    reproducing.set_defaults(command=reproduce)

    reporting = commands.add_parser("report", help="a table of a paper beside ours")
    reporting.add_argument("table", nargs="?", help="one table; all by default")
    _profile(reporting)
    _recipe(reporting)
    reporting.add_argument("--best", action="store_true", help="accuracy of the best epoch, not of the last")
    formats = ("text", "markdown", "csv", "latex")
    reporting.add_argument("--format", choices=formats, default="text", help="(text)")
    reporting.add_argument("--results", type=Path, metavar="DIR", help="folder of records")
    reporting.set_defaults(command=report)

    claiming = commands.add_parser(
        "claims",
        help="what the papers claim, and the verdicts of our runs",
        description="Test the papers' claims on records: holds, does not hold, undecided, not run.",
    )
    claiming.add_argument("claims", nargs="*", metavar="CLAIM", help="only these; all by default")
    _profile(claiming)
    claiming.add_argument("--format", choices=("text", "markdown"), default="text", help="(text)")
    claiming.add_argument("--results", type=Path, metavar="DIR", help="folder of records")
    claiming.set_defaults(command=claims)

    receiving = commands.add_parser(
        "receipt",
        help="your runs beside the book's, on one page",
        description="Write a page that compares your records with the book's: numbers, versions, settings.",
    )
    receiving.add_argument("runs", nargs="*", metavar="ID", help="only these; all in the folder by default")
    receiving.add_argument(
        "--results", type=Path, metavar="DIR", required=True, help="folder of your records"
    )
    receiving.add_argument("--profile", choices=PROFILES, help="only this one; all by default")
    receiving.add_argument("--output", type=Path, metavar="FILE", help="the page (receipt.md in that folder)")
    receiving.set_defaults(command=receipt)

    auditing = commands.add_parser(
        "check",
        help="whether records, tables, ledgers and README fit together",
        description="Read everything that is committed; print a line for each problem.",
    )
    auditing.add_argument("--results", type=Path, metavar="DIR", help="folder of records")
    auditing.set_defaults(command=check)

    benching = commands.add_parser(
        "bench",
        help="training speed against the limit and other libraries",
        description="Ratios of interleaved measurements on this machine, printed and written as a record each:\n"
        "layer   the neurons alone: T = 2, 4, 8, 32\n"
        "step    a training step of ResNet-18 beside the ANN's, snnTorch's and SpikingJelly's\n"
        "joint   Joint A-SNN beside an ANN's step and an SNN's\n"
        "sastc   SASTC beside plain distillation\n"
        "growth  how cost grows with T, batch and width\n"
        "whole   networks compiled whole; takes minutes to compile, so it is measured when named",
        formatter_class=raw,
    )
    benching.add_argument("groups", nargs="*", metavar="GROUP", help="only these; all but 'whole' by default")
    benching.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (auto)")
    benching.add_argument(
        "--rounds", type=int, default=5, help="interleaved measurements of each variant (5)"
    )
    benching.add_argument("--results", type=Path, metavar="DIR", help="folder of records (results)")
    benching.set_defaults(command=bench)

    checking = commands.add_parser("doctor", help="what is installed, what will be used, what is missing")
    checking.add_argument("--data", type=Path, metavar="DIR", help="folder of data sets")
    checking.set_defaults(command=doctor)
    return top


def _profile(command: argparse.ArgumentParser) -> None:
    text = "quick: minutes on a CPU, small data; lab: one GPU; paper: the full recipe (quick)"
    command.add_argument("--profile", choices=PROFILES, default="quick", help=text)


def _recipe(command: argparse.ArgumentParser) -> None:
    text = "paper: what its text says; official: what its public code does (paper)"
    command.add_argument("--recipe", choices=RECIPES, default="paper", help=text)


def list_tables(arguments: argparse.Namespace) -> None:
    """Every row with its label and, by profile, how many of the table's seeds have a record."""
    from snnbook.experiments import tables
    from snnbook.experiments.record import records

    chosen = [arguments.table] if arguments.table else tables.names()
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
                count = len(records(f"{owner.id}/{trained.id}", profile, owner.seeds, arguments.results))
                waits = profile in trained.waits and not count
                done.append(f"{profile} {'waits' if waits else f'{count}/{len(owner.seeds)}'}")
            same = f" (= {row.same})" if row.same else ""
            print(
                f"  {f'{table.id}/{row.id}'.ljust(width)}  {row.label}{same}  [{', '.join(done)} seeds run]"
            )
            for reason in dict.fromkeys(trained.waits.values()):
                print(f"  {' ' * width}  waits: {reason}")


def run(arguments: argparse.Namespace) -> None:
    """Runs of one row, by their notebook or bare; with several seeds one that fails does not stop the others."""
    from contextlib import nullcontext

    from snnbook.experiments.cards import own_card
    from snnbook.experiments.notebook import NotebookFailed

    failed = 0
    with own_card() if arguments.own_card else nullcontext():
        for seed in arguments.seed:
            try:
                _run(arguments, seed)
            except (UserError, NotebookFailed) as error:
                if arguments.seed == [seed] and isinstance(error, UserError):
                    raise
                print(f"snnbook: {arguments.run_id}, seed {seed}: {_line(error)}", file=sys.stderr)
                failed += 1
    if failed:
        sys.exit(1)


def _run(a: argparse.Namespace, seed: int) -> None:
    from snnbook import experiments
    from snnbook.experiments import notebook, record
    from snnbook.experiments.job import plan

    job = plan(a.run_id, seed, a.profile, a.recipe, a.overrides, a.results, a.work)
    stood = job.record_path.is_file()
    if not (stood or a.bare or processes.launched()):
        executed = notebook.execute(job, data=a.data, device=a.device, progress=not a.quiet)
        print(f"notebook: {_short(executed)}")
        made = record.read(job.record_path)  # it alone proves that the run is done
    else:
        made = experiments.run(
            a.run_id,
            seed=seed,
            profile=a.profile,
            recipe=a.recipe,
            data=a.data,
            overrides=a.overrides,
            device=a.device,
            results=a.results,
            work=a.work,
            progress=not a.quiet,
            weights=a.weights,
        )
    if processes.rank():
        return
    for name, metrics in made.metrics.items():
        best = f"best {metrics['best']:.2f} % after epoch {metrics['best_epoch']}"
        print(f"{name.upper()}: {metrics['last']:.2f} % of the test images ({best})")
    print(f"record: {_short(job.record_path)}")
    if stood:
        print(f"It stands since {made.created}; to compute it again, choose another --results.")


def reproduce(arguments: argparse.Namespace) -> None:
    """The matrix: the plan, the runs as they end, and those that failed."""
    from snnbook.experiments import cards, engine
    from snnbook.experiments.reproduce import prepare

    a = arguments
    profile = a.profile
    if profile is None:
        profile = "lab" if cards.cards() else "quick"
        reason = "an NVIDIA GPU is here" if profile == "lab" else "no NVIDIA GPU is here"
        print(f"{reason}, so the profile is {profile}; --profile chooses another")
    matrix = prepare(
        profile,
        a.tables,
        a.seeds or (),
        results=a.results,
        work=a.work,
        data=a.data,
        bare=a.bare,
        cores=a.cores,
        executor=a.executor,
    )
    print(matrix.text(), flush=True)
    if a.dry_run:
        for step in matrix.steps:
            print(f"  {step.run}, seed {', '.join(map(str, step.seeds))}")
        return
    total = len(matrix.todo)

    def show(made, left: int) -> None:
        shown = ", ".join(f"{name.upper()} {values['last']:.2f} %" for name, values in made.metrics.items())
        print(f"[{total - left}/{total}] {made.run}, seed {made.seed}: {shown}", flush=True)

    failed = engine.reproduce(matrix, show)
    for one in failed:
        print(f"failed: {one.task.run}, seed {one.task.seed}: {one.reason} (log {_short(one.log)})")
    if failed:
        sys.exit(f"snnbook: {len(failed)} of {total} runs failed; the same command tries them again")


def bench(arguments: argparse.Namespace) -> None:
    """Speed, as ratios."""
    from snnbook import bench as benchmark

    benchmark.main(arguments.groups, arguments.device, arguments.rounds, arguments.results)


def report(arguments: argparse.Namespace) -> None:
    """One table or all, paper vs ours."""
    from snnbook import experiments
    from snnbook.experiments import tables

    for index, name in enumerate([arguments.table] if arguments.table else tables.names()):
        which = "best" if arguments.best else "last"
        made = experiments.report(
            name, arguments.profile, recipe=arguments.recipe, which=which, results=arguments.results
        )
        print("\n" if index and arguments.format != "csv" else "", end="")
        print(getattr(made, arguments.format)(), end="" if arguments.format == "csv" else "\n")


def claims(arguments: argparse.Namespace) -> None:
    """The ledger of claims with its verdicts."""
    from snnbook.experiments import claims as ledger

    verdicts = ledger.judged(arguments.profile, arguments.claims, arguments.results)
    print(getattr(ledger, arguments.format)(verdicts))


def receipt(arguments: argparse.Namespace) -> None:
    """A reader's runs beside the book's."""
    from snnbook import files
    from snnbook.experiments.receipt import receipt as compare

    page = compare(arguments.results, arguments.runs, arguments.profile).markdown()
    path = arguments.output or arguments.results / "receipt.md"
    files.write_text(path, page)
    print(page)
    print(f"written to {_short(path)}")


def check(arguments: argparse.Namespace) -> None:
    """All that is committed, looked over."""
    from snnbook.experiments.check import check as look

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


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    stopped = []

    def stop(number, _frame):
        stopped.append(number)
        # papermill's event loop would report, after our last line, that the kernel it waited for is gone.
        logging.getLogger("asyncio").disabled = True
        raise KeyboardInterrupt

    # Both signals unwind, so that a notebook's kernel is ended with us.
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        parsed = parser().parse_args(arguments)
        parsed.command(parsed)
    except UserError as error:
        if processes.rank():
            _let_the_first_speak()
        print(f"snnbook: {_line(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output closed it, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt):  # an interrupt may come out as the error of what it interrupted
        if not stopped:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        if not processes.rank():
            print(
                "\nsnnbook: interrupted; the same command goes on from the last finished epoch",
                file=sys.stderr,
            )
        return 128 + stopped[0]
    return 0


def _let_the_first_speak() -> None:
    """Give ``torchrun`` the time to end this process, which it does if the first one, too, refused its input."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(30)
