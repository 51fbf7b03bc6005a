"""Many runs: what is left of them, in which order, what that takes, and Snakemake over it."""
