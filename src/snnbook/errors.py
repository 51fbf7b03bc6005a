"""The one exception a reader is meant to see."""

LONGEST = 390


class UserError(Exception):
    """Bad input, told in one line: what was wrong, what was expected, what to do.

    The command line prints the line and exits with code 2; in a notebook it is an ordinary exception.  Whatever it
    quotes, it stays one line of less than 400 characters that a terminal only prints.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(clipped(str(message)))


def clipped(text: str, longest: int = LONGEST) -> str:
    """``text`` as one line, control characters written out, without its middle if it is too long."""
    text = " ".join(text.split())
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    if len(text) <= longest:
        return text
    end = (longest - 5) // 2  # its begin says what is wrong, its end what to do
    return f"{text[: longest - 5 - end]} ... {text[-end:]}"


def one_line(error: BaseException) -> str:
    """What ``error`` says, whatever line breaks it came with."""
    return clipped(str(error))
