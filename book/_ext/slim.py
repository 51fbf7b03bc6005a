"""Leave out what pages of the theme load and do not need.

Its icons come twice, as a font of a hundred kilobytes and as a script of one and a half megabytes that replaces
them by drawings.  The font is enough, and needs no scripts.  Nor does a page here start kernels (Thebe), whose
settings the theme writes twice, which a browser reports as an error.
"""

from pathlib import Path

SCRIPT = Path("_static/scripts/fontawesome.js")  # loaded by each page, so it stays, empty
UNUSED = ("_static/**/*.map", "_static/vendor/fontawesome/webfonts/*.ttf")  # for developers, for old browsers


def slim(app, error: Exception | None) -> None:
    """Once the pages are built."""
    place = Path(app.outdir)
    if error or not (place / SCRIPT).is_file():
        return
    (place / SCRIPT).write_text("/* the icons are a font */\n", encoding="utf-8")
    for pattern in UNUSED:
        for path in place.glob(pattern):
            path.unlink()


def without_kernels(app, page: str, template: str, context: dict, doctree) -> None:
    """Before a page is written."""
    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context.get(kind, ()) if "thebe" not in _all(file)]


def _all(file) -> str:
    """Name and body of a file that a page loads."""
    return f"{file} {getattr(file, 'attributes', {}).get('body', '')}".lower()


def setup(app) -> dict:
    app.connect("build-finished", slim)
    app.connect("html-page-context", without_kernels, priority=900)  # behind all that add files
    return {"parallel_read_safe": True, "parallel_write_safe": True}
