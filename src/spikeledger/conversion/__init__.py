"""ANN to SNN."""

from .convert import Conversion as Conversion
from .convert import Converted as Converted
from .convert import convert as convert
