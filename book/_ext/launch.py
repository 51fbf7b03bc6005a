"""A chapter's button for Colab opens the notebook that was written for Colab, see ``book/colab.py``."""

from pathlib import PurePosixPath


def open_copy(app, pagename, templatename, context, doctree) -> None:
    """Lead the theme's button to the copy of the chapter it was made for."""
    groups = [button for button in context.get("header_buttons", ()) if button["type"] == "group"]
    for button in (button for group in groups for button in group["buttons"]):
        if button.get("text") == "Colab":
            chapter = PurePosixPath(pagename)
            copy = chapter.parent / "colab" / chapter.name
            button["url"] = button["url"].replace(f"/{chapter}.", f"/{copy}.")


def setup(app) -> dict:
    app.connect("html-page-context", open_copy, priority=502)  # the theme makes the button at 501
    return {"parallel_read_safe": True, "parallel_write_safe": True}
