"""The training loop and its machinery, which know nothing of spikes or methods."""
