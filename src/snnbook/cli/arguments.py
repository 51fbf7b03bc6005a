"""The command line: words and options.  Nothing here imports torch, so that help answers at once."""

import argparse
import sys
from pathlib import Path
from textwrap import dedent

from snnbook import __version__
from snnbook.cli import commands as does
from snnbook.errors import clipped

RAW = argparse.RawDescriptionHelpFormatter
PROFILES = ("quick", "desk", "lab", "paper")
RECIPES = ("paper", "official")
EXECUTORS = ("slurm", "kubernetes")

EXAMPLES = dedent("""\
    examples:
      snnbook list                            the tables, and how much has been run
      snnbook list joint-table4               the rows of one
      snnbook run joint-table4/snn            train a row: quick profile, seed 0
      snnbook run joint-table4/snn --seed 1   another seed
      snnbook run joint-table4                every row of the table, in turn
      snnbook run joint-table4/snn --set recipe.epochs=2
                                              try something; it never passes for
                                              the table's row
      snnbook run joint-table4/all --profile lab --data data
                                              on CIFAR-10 in the folder data, for
                                              one GPU
      torchrun --nproc-per-node 4 -m snnbook run joint-table4/all \\
          --profile paper --data data         one run on four GPUs
      snnbook reproduce --dry-run             what has no record yet, and an
                                              estimate of the hours
      snnbook report joint-table4             the paper's numbers beside ours
      snnbook claims                          what papers claim, what our runs say
      snnbook receipt --results mine          your runs beside the book's
      snnbook doctor                          what is installed, which device,
                                              where data is read

    A run that was interrupted or killed goes on where it was when the same command
    is given again.
    Exit codes: 0 done, 1 failed, 2 bad input (one line says what), 130 and 143
    interrupted.  --debug shows the traceback of what failed.
    Environment: SNNBOOK_DATA names the data folder, SNNBOOK_EXPERIMENTS a folder of
    your own tables; OMP_NUM_THREADS is the number of threads of a run, which is
    chosen by its size and by what is free otherwise.
    """)


RUN = dedent("""\
    Train rows of a table, or all rows of one that can be run; do nothing where a
    record stands, go on where a run was interrupted.  'snnbook reproduce' trains
    all seeds, several runs at a time.

    Under torchrun all processes, on one node or several, train each run together:
    always --bare, each on a GPU of its own or on the CPU.  recipe.batch_size counts
    the images of all of them (method.batch_size of SASTC those of each), and
    --set recipe.sync_batchnorm=true makes their BatchNorms one, so that the loss
    curve is that of a single process.  --work, --results and --data must be folders
    that all nodes see.  A run that fails there ends the command.
    """)


def _seed(text: str) -> int:
    """A seed; what may be the name of a run says where that belongs."""
    try:
        return int(text)
    except ValueError:
        hint = ", and names before the option" if "/" in text or text.isidentifier() else ""
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; expected whole numbers{hint}") from None


def _path(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; expected a path")
    return Path(text)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything here does; the option ``--debug`` may stand anywhere."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        text = "of an error that is snnbook's own, show the whole traceback"
        self.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=text)

    def _print_message(self, message: str, file=None) -> None:
        if message and file is not None:  # a stream that is closed; argparse would pass over a full one, too
            file.write(message)

    def error(self, message: str):
        print(f"snnbook: {clipped(message, 340)}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def parser() -> Parser:
    """All commands and their options."""
    top = Parser(
        prog="snnbook",
        description="Rerun the tables of papers on spiking neural networks, and trace every number to\nits run.",
        epilog=EXAMPLES,
        formatter_class=RAW,
    )
    top.add_argument("--version", action="version", version=f"snnbook {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for add in (_list, _run, _reproduce, _report, _claims, _receipt, _check, _bench, _doctor):
        add(commands)
    return top


def _list(commands) -> None:
    command = commands.add_parser("list", help="the tables or the rows of one, and what has been run")
    command.add_argument("table", nargs="?", metavar="TABLE", help="its rows; all tables by default")
    _folder(command)
    command.set_defaults(command=does.list_tables)


def _run(commands) -> None:
    command = commands.add_parser(
        "run",
        help="train rows of a table, or all, and write their records",
        description=RUN,
        formatter_class=RAW,
    )
    command.add_argument(
        "run_ids",
        nargs="+",
        metavar="ID",
        help="<table>/<row>, or a table for all of its rows; see 'snnbook list'; several run in turn",
    )
    command.add_argument(
        "--seed",
        type=_seed,
        nargs="+",
        action="extend",
        help="of weights, order and augmentation; several run in turn (0); tables count their own seeds alone",
    )
    _profile(command)
    _recipe(command)
    _folder(command, "--data", "folder of data sets that are not bundled")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        dest="overrides",
        help="change a setting of data, network, method or recipe; may be repeated",
    )
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (auto)")
    _folder(command, "--results", "folder the record is written to (results)")
    _folder(command, "--work", "folder of checkpoints and weights (runs)")
    command.add_argument(
        "--bare",
        action="store_true",
        help="without the notebook: where Jupyter is missing, and always under torchrun",
    )
    command.add_argument(
        "--weights", action="store_true", help="train again if the record stands without weights"
    )
    command.add_argument("--own-card", action="store_true", help="wait for a GPU no other such run uses")
    command.add_argument(
        "--compile",
        action="append_const",
        dest="overrides",
        const="recipe.compile=true",
        help="compile the whole method, as --set recipe.compile=true: minutes first, then faster steps",
    )
    command.add_argument("--quiet", action="store_true", help="no progress bar and no summary; errors alone")
    command.set_defaults(command=does.run)


def _reproduce(commands) -> None:
    command = commands.add_parser(
        "reproduce",
        help="train all rows that have no record yet",
        description="Train every row and seed that has no record yet, several at a time; name\nthose that failed.",
        formatter_class=RAW,
    )
    command.add_argument("tables", nargs="*", metavar="TABLE", help="only these; all by default")
    command.add_argument(
        "--profile",
        choices=PROFILES,
        help="as of 'snnbook run' (lab where there is an NVIDIA GPU, else quick)",
    )
    command.add_argument(
        "--seeds", type=_seed, nargs="+", action="extend", help="instead of each table's own"
    )
    _folder(command, "--data", "folder of data sets that are not bundled")
    _folder(command)
    _folder(command, "--work", "folder of checkpoints, weights and logs (runs)")
    command.add_argument("--cores", type=int, help="CPU cores to use (all)")
    command.add_argument(
        "--executor", choices=EXECUTORS, help="submit to a cluster, see workflow/profiles (this machine)"
    )
    command.add_argument("--bare", action="store_true", help="without notebooks, as quick always is")
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be run, with an estimate of the hours; without --profile, of all profiles",
    )
    command.set_defaults(command=does.reproduce)


def _report(commands) -> None:
    command = commands.add_parser("report", help="a table of a paper beside ours")
    command.add_argument("table", nargs="?", metavar="TABLE", help="one table; all by default")
    _profile(command)
    _recipe(command)
    command.add_argument("--best", action="store_true", help="accuracy of the best epoch, not of the last")
    formats = ("text", "markdown", "csv", "latex")
    command.add_argument("--format", choices=formats, default="text", help="how it is printed (text)")
    _folder(command)
    command.set_defaults(command=does.report)


def _claims(commands) -> None:
    command = commands.add_parser(
        "claims",
        help="what the papers claim, and the verdicts of our runs",
        description="Test the papers' claims on records: holds, does not hold, undecided, cannot be\n"
        "decided here, did not learn or not run.  The quick profile is a rehearsal and\n"
        "gives no verdicts.",
        formatter_class=RAW,
    )
    command.add_argument("claims", nargs="*", metavar="CLAIM", help="only these; all by default")
    _profile(command, "desk")
    command.add_argument(
        "--format", choices=("text", "markdown"), default="text", help="how it is printed (text)"
    )
    _folder(command)
    command.set_defaults(command=does.claims)


def _receipt(commands) -> None:
    command = commands.add_parser(
        "receipt",
        help="your runs beside the book's, on one page",
        description="Write a page that compares your records with the book's: numbers, versions, settings.",
    )
    command.add_argument("runs", nargs="*", metavar="ID", help="only these; all in the folder by default")
    _folder(command, "--results", "folder of your records", required=True)
    command.add_argument("--profile", choices=PROFILES, help="only this one; all by default")
    command.add_argument("--output", type=_path, metavar="FILE", help="the page (receipt.md in that folder)")
    command.set_defaults(command=does.receipt)


def _check(commands) -> None:
    command = commands.add_parser(
        "check",
        help="whether records, tables and ledgers fit together",
        description="Read everything that is committed; print a line for each problem.",
    )
    _folder(command)
    command.add_argument(
        "--migrate", action="store_true", help="bring records of an older schema up to date first"
    )
    command.set_defaults(command=does.check)


def _bench(commands) -> None:
    command = commands.add_parser(
        "bench",
        help="training speed against the limit and other libraries",
        description="Ratios of interleaved measurements on this machine, printed and written as a\n"
        "record each:\n\n"
        "layer   the neurons alone: T = 2, 4, 8, 32\n"
        "step    a training step of ResNet-18 beside the ANN's, snnTorch's,\n"
        "        SpikingJelly's\n"
        "desk    the same of VGG-11, beside earlier code, too, and layer by layer\n"
        "joint   Joint A-SNN beside an ANN's step and an SNN's\n"
        "sastc   SASTC beside plain distillation\n"
        "rows    rows of one protocol and of Joint A-SNN's ablation: their prices\n"
        "growth  how cost grows with T, batch and width\n"
        "busy    two trainings at once on the cores of one, by what idle threads do\n"
        "whole   networks compiled whole; takes minutes to compile, so it is measured\n"
        "        when named",
        formatter_class=RAW,
    )
    command.add_argument("groups", nargs="*", metavar="GROUP", help="only these; all but 'whole' by default")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (auto)")
    command.add_argument("--rounds", type=int, default=5, help="interleaved measurements of each variant (5)")
    _folder(command)
    command.set_defaults(command=does.bench)


def _doctor(commands) -> None:
    command = commands.add_parser("doctor", help="what is installed, what will be used, what is missing")
    _folder(command, "--data", "folder of data sets")
    command.set_defaults(command=does.doctor)


def _folder(
    command: argparse.ArgumentParser,
    option: str = "--results",
    text: str = "folder of records (results)",
    required: bool = False,
) -> None:
    command.add_argument(option, type=_path, metavar="DIR", help=text, required=required)


def _profile(command: argparse.ArgumentParser, default: str = "quick") -> None:
    text = "quick: a rehearsal on small data, minutes; desk: evidence on a CPU, narrow networks; "
    text += f"lab: one GPU; paper: the full recipe ({default})"
    command.add_argument("--profile", choices=PROFILES, default=default, help=text)


def _recipe(command: argparse.ArgumentParser) -> None:
    text = "paper: what its text says; official: what its public code does (paper)"
    command.add_argument("--recipe", choices=RECIPES, default="paper", help=text)
