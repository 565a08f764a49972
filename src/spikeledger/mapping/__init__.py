"""From a torch module to what a chip runs: populations, projections, delays."""
