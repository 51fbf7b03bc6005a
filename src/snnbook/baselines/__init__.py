"""The same networks as a user of snnTorch writes them, to compare with."""
