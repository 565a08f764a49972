"""How much happened, in software: exact counts of any torch module's run."""
