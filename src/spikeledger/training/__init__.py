"""How weights are found: `fit` trains, `evaluate` answers, checkpoints keep both; loading one never runs code."""
