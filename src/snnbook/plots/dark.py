"""The same figure for a page in the dark: greys turned round, the book's colours lightened, all else as it is.

Lines are lightened as little as they need, since light colours are more like each other.  What colour maps paint
stays, and so does what is written on it: see :data:`.style.ON_DARK`.
"""

import re
from colorsys import hls_to_rgb, rgb_to_hls

from matplotlib.colors import to_hex, to_rgb

from snnbook.plots.style import PALETTE, shade, tint

PAPER = 0.07  # lightness of a dark page, as the theme has it
VISIBLE = 0.45  # least lightness of lines in colour
READABLE = 0.7  # lightness of words
TINTED = 0.16  # lightness of a tinted area
HEX = re.compile(r"#[0-9a-fA-F]{6}\b")


def darkened(svg: str) -> str:
    """A figure of the book, from :meth:`.style.Picture.rendered`, with its colours for a dark page."""
    # Words in black have no colour of their own.
    svg = svg.replace("<svg ", '<svg fill="#000000" ', 1)
    return HEX.sub(lambda found: dark(found[0]), svg)


def dark(color: str) -> str:
    """One colour, ``#rrggbb``, as it is on a dark page."""
    if color in _COLORS:
        return _COLORS[color]
    red, green, blue = to_rgb(color)
    return to_hex([1 - (1 - PAPER) * red] * 3) if red == green == blue else color


def _lightness(color, wanted: float) -> str:
    hue, _, saturation = rgb_to_hls(*to_rgb(color))
    return to_hex(hls_to_rgb(hue, wanted, saturation))


_COLORS = {
    to_hex(made(color)): _lightness(color, lightness)
    for made, lightness in ((shade, READABLE), (tint, TINTED))
    for color in PALETTE
} | {to_hex(color): _lightness(color, max(VISIBLE, rgb_to_hls(*to_rgb(color))[1])) for color in PALETTE}
