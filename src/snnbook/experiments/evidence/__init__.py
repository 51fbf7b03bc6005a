"""What records say of the papers: intervals, verdicts, fidelity, receipts, reports."""
