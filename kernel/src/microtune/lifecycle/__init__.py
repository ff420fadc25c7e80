"""A trial's life, phase by phase: turn, suggest, launch, wait, result, decide, checkpoint, end, log."""
