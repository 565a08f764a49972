"""How results look: terminal tables, figures that draw themselves, and one self-contained page."""
