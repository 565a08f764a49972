"""What each event costs: named devices, prices with ranges, one source a number."""
