"""Bad input is told in one line: what was wrong, what was expected, what to do."""

import pytest

from snnbook.errors import UserError


def one_line(call, *parts):
    """The message of the UserError that ``call`` raises holds all ``parts``."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message
