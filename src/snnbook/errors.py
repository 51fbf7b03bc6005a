"""The one exception a reader is meant to see."""


class UserError(Exception):
    """Bad input, told in one line: what was wrong, what was expected, what to do.

    The command line prints the line and exits with code 2; in a notebook it is an ordinary exception.
    """


def one_line(error: Exception) -> str:
    """What ``error`` says, whatever line breaks it came with."""
    return " ".join(str(error).split())
