"""Numbers and verdicts as people read them, the same in the terminal, in pictures and on the page."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from .. import units
from ..amounts import Amount
from ..study.accuracy import McNemar
from ..study.one_network import Side
from ..study.verdicts import Verdict
from ..units import plural as plural

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def sentence(text: str) -> str:
    """The same with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def joules(value: float, *, brief: bool = False) -> str:
    """`83.0 pJ`, or `83 pJ` where it labels an axis."""
    text = units.joules(value)
    return re.sub(r"\.0+ ", " ", text) if brief else text


def span(value: Amount | None) -> str:
    """`low to high`, or that there is none."""
    if value is None:
        return "not given"
    return f"{joules(value.low)} to {joules(value.high)}" if spread(value) else "no range"


def spread(value: Amount) -> bool:
    """Whether low and high differ by more than the rounding of a sum."""
    return not value.certain


def percent(share: float) -> str:
    """A share as people read it: `7 %`, `0.4 %`, `< 0.1 %`, and never 100 % of what is not all."""
    if share == 0:
        return "0 %"
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.995 <= share < 1:
        return "> 99 %"
    return f"{100 * share:.1f} %" if share < 0.0095 else f"{100 * share:.0f} %"


def accuracy(share: float) -> str:
    """An accuracy with two decimals: a sample of 10,000 is 0.01 %."""
    return f"{100 * share:.2f} %"


def count(value: float) -> str:
    """Events a sample: whole where they are whole, else with as many decimals as say something."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.1f}" if abs(value) >= 10 else short(value)


def short(value: float) -> str:
    """Three significant digits without an exponent where that can be read."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e6:
        return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
    mantissa, _, power = f"{value:.2e}".partition("e")
    return f"{mantissa} × 10{str(int(power)).translate(_RAISED)}"


def probability(p: float) -> str:
    """A p value: `0.031`, or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def verdict(found: Verdict, *, brief: bool = False) -> str:
    """A verdict in words; `brief` fits beside a name in a picture."""
    if not brief:
        return found.text
    if found.winner:
        return f"{found.winner.upper()} lower"
    return f"{found.likely.upper()} probably lower" if found.likely else found.standing


def accuracy_interval(side: Side) -> str:
    """`95 % interval 97.78 to 98.32 %`."""
    low, high = side.accuracy_interval
    return f"95 % interval {100 * low:.2f} to {100 * high:.2f} %"


def difference_sentence(test: McNemar) -> str:
    """What McNemar's test says of two accuracies."""
    split = f"{plural(test.only_ann, 'sample')} only the ANN got right, {test.only_snn:,} only the SNN"
    if test.differs:
        better = "ANN" if test.only_ann > test.only_snn else "SNN"
        said = f"The {better} is right more often, and chance does not explain it"
    else:
        said = "The difference in accuracy may be chance"
    return f"{said}: {split} (McNemar p {probability(test.p)})."
