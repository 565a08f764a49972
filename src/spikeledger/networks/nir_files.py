"""A NIR file as plain values, looked at before it is read: hostile or broken ones end in one sentence.

A file claims what it holds before it holds it. So the whole tree is walked first, over headers alone: no link out of the
file or round in a circle, no filter that HDF5 would load code for, no type but numbers and text, and no more bytes than a
network of the file's own size can have. Only then are arrays read, and the nodes are made from a list of known kinds.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileFormatError
from ..reading import Kind, opened
from .nir_heaps import check_heaps

LARGEST = 4 << 30  # bytes that a file's arrays may take
MOST_NODES = 10_000
_KIND = Kind("NIR file", LARGEST, advice="write one with spikeledger.networks.nir.write_nir")
_MOST_PARTS = 25 * MOST_NODES
_DEEPEST = 16
_MOST_TEXTS = 1 << 20
_PLAIN = 64 << 20  # bytes that need no proof
_RATIO = 100  # that compression may reach beyond that
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 32_000: "lzf"}
_KINDS = (
    "Affine AvgPool2d Conv1d Conv2d CubaLI CubaLIF Delay Flatten I IF Input LI LIF Linear NIRGraph Output Scale "
    "SumPool2d Threshold"
).split()


def read_graph(nir: Any, path: Path) -> Any:
    """The `nir.NIRGraph` that a file holds.

    Raises:
        FileFormatError: there is none, it is cut, or it holds what a network has no need of.
    """
    import h5py  # type: ignore[import-untyped,unused-ignore]

    with opened(path, _KIND) as (file, length):  # a pipe or a device would be waited for
        check_heaps(file, length, path)
    try:
        with h5py.File(path, "r") as file:
            _check(h5py, file, path)
            if not isinstance(file.get("node"), h5py.Group):
                raise FileFormatError(f"'{path}' is HDF5, but holds no NIR graph")
            tree = _values(h5py, file["node"])
        return _graph(nir, tree, path)
    except FileFormatError:
        raise
    except (Exception, RecursionError) as error:  # h5py and nir raise many kinds for a cut or strange file
        raise FileFormatError(f"'{path}' is no whole NIR file ({type(error).__name__}: {_line(error)})") from error


def _check(h5py: Any, file: Any, path: Path) -> None:
    """Walk the tree by its headers; nothing is read yet."""
    size = path.stat().st_size
    total = parts = 0
    seen: set[int] = {h5py.h5o.get_info(file.id).addr}
    waiting: list[tuple[Any, int]] = [(file, 0)]
    while waiting:
        group, depth = waiting.pop()
        for key in group:
            shown = repr(key)[1:60].rstrip("'")
            parts += 1
            if parts > _MOST_PARTS or depth > _DEEPEST:
                raise FileFormatError(f"'{path}' holds more parts than a network has, or nests them too deep")
            key.encode()  # a name that is no UTF-8 comes with surrogates, which nothing can print
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise FileFormatError(f"'{path}' holds a link to elsewhere ('{shown}'): that is no NIR file")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise FileFormatError(
                    f"'{path}' holds the same part twice, or a circle ('{shown}'): that is no NIR file"
                )
            seen.add(address)
            if isinstance(item, h5py.Group):
                waiting.append((item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                total += _claimed(h5py, item, shown, path)
                if total > LARGEST or total > max(_PLAIN, _RATIO * size):
                    raise FileFormatError(
                        f"'{path}' claims arrays of {total:,} bytes and is {size:,} bytes long: {LARGEST:,} are the "
                        f"most that are read, and beyond {_PLAIN:,} a file may grow {_RATIO} times"
                    )
            else:
                raise FileFormatError(f"'{path}' holds a type of its own ('{shown}'): that is no NIR file")


def _claimed(h5py: Any, item: Any, shown: str, path: Path) -> int:
    """Bytes that a dataset takes when it is read; its layout must be one that is safe to read."""
    if item.external or getattr(item, "is_virtual", False):
        raise FileFormatError(f"'{path}' keeps '{shown}' in another file: that is no NIR file")
    count = int(np.prod(item.shape, dtype=object)) if item.shape else 1
    kind = item.dtype
    text = h5py.check_string_dtype(kind) is not None
    if not text and (kind.kind not in "biuf" or kind.itemsize > 8):
        raise FileFormatError(f"'{path}' keeps '{shown}' as {kind}, and a network is made of numbers and names")
    if text and count > _MOST_TEXTS:
        raise FileFormatError(f"'{path}' claims {count:,} texts in '{shown}', and {_MOST_TEXTS:,} are the most")
    settings = item.id.get_create_plist()
    for number in range(settings.get_nfilters()):
        code = settings.get_filter(number)[0]
        if code not in _FILTERS:
            raise FileFormatError(f"'{path}' packs '{shown}' with filter {code}, which is not read: use gzip")
    if text and kind.kind == "O":
        _check_lengths(h5py, item, settings, shown, path)
    chunk = int(np.prod(item.chunks, dtype=object)) if item.chunks else 0
    return max(count, chunk) * max(kind.itemsize, 64 if text else 1)


def _check_lengths(h5py: Any, item: Any, settings: Any, shown: str, path: Path) -> None:
    """Refuse texts that say they are longer than the file: HDF5 takes their word, and the memory, before it looks.

    A text of any length stands as sixteen bytes: its length, and the place of its letters in a heap.
    """
    size, raw = path.stat().st_size, b""
    packed = [settings.get_filter(number)[0] for number in range(settings.get_nfilters())]
    layout, start = settings.get_layout(), item.id.get_offset()
    if layout == h5py.h5d.CONTIGUOUS and start is not None:
        with path.open("rb") as file:
            file.seek(start)
            raw = file.read(16 * max(item.size, 1))
    elif layout == h5py.h5d.CHUNKED and packed in ([], [h5py.h5z.FILTER_DEFLATE]):
        for number in range(item.id.get_num_chunks()):
            _, chunk = item.id.read_direct_chunk(item.id.get_chunk_info(number).chunk_offset)
            raw += zlib.decompressobj().decompress(chunk, 16 * _MOST_TEXTS) if packed else chunk
    elif layout != h5py.h5d.CONTIGUOUS:
        raise FileFormatError(f"'{path}' packs the texts '{shown}' in a way that is not read: write them as they are")
    longest = int(np.frombuffer(raw[: len(raw) // 16 * 16], "<u4")[::4].max(initial=0))
    if longest > size:
        raise FileFormatError(f"'{path}' claims a text of {longest:,} letters in '{shown}', and is {size:,} bytes long")


def _values(h5py: Any, group: Any) -> dict[str, Any]:
    """Groups as dicts, arrays as arrays, texts as text."""
    found: dict[str, Any] = {}
    for key, item in group.items():
        if isinstance(item, h5py.Group):
            found[key] = _values(h5py, item)
            continue
        value = item[()]
        found[key] = value.decode("utf8") if isinstance(value, bytes) else value
    return found


def _graph(nir: Any, tree: dict[str, Any], path: Path) -> Any:
    """A graph, and the graphs inside it; `nir`'s own check of shapes refuses loops that it should not, and is left out."""
    if tree.get("type") != "NIRGraph" or not isinstance(tree.get("nodes"), dict):
        raise FileFormatError(f"'{path}' holds no NIR graph")
    nodes = {}
    for name, parts in tree["nodes"].items():
        kind = parts.get("type") if isinstance(parts, dict) else None
        if kind == "NIRGraph":
            nodes[name] = _graph(nir, parts, path)
        elif isinstance(kind, str) and kind in _KINDS and hasattr(nir, kind):
            try:
                nodes[name] = getattr(nir, kind).from_dict(dict(parts))
            except Exception as error:
                raise FileFormatError(
                    f"node '{name}' of '{path}' is no whole {kind} ({type(error).__name__}: {_line(error)})"
                ) from error
        else:
            raise FileFormatError(f"node '{name}' of '{path}' is of no kind that NIR has: {str(kind)[:60]!r}")
    edges = np.asarray(tree.get("edges", []))
    if edges.size and edges.shape[1:] != (2,):
        raise FileFormatError(f"the edges of '{path}' have the shape {list(edges.shape)}, not [edges, 2]")
    pairs = [(_text(a), _text(b)) for a, b in edges] if edges.size else []
    metadata = tree.get("metadata", {})
    return nir.NIRGraph(nodes, pairs, metadata=metadata if isinstance(metadata, dict) else {}, type_check=False)


def _text(value: Any) -> str:
    return value.decode("utf8") if isinstance(value, bytes) else str(value)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
