"""What fits on a chip, where it goes, and what it does step by step."""
