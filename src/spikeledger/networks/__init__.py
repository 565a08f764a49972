"""What runs: neurons, encoders, decoders and whole networks, as torch modules on `[T, B, *N]`."""
