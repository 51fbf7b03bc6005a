"""One run: resolved, trained, measured, recorded; done once."""
