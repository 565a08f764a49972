"""How neurons run fast: one interface, several back ends that must agree; `reference` is the oracle."""
