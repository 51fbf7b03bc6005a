"""The command line, called within the test's own process."""

from snnbook import cli


def call(capsys, *arguments):
    """Exit code, what was printed, what was complained."""
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    return code, printed.out, printed.err
