"""`spikeledger serve`: the page of networks that run here."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options
from .live import check, networks_of


def serve(
    data: Annotated[str | None, typer.Option(help="Data set: digits, mnist, fashion-mnist, cifar-10.")] = None,
    comparison: options.Compared = None,
    ann: options.Ordinary = None,
    snn: options.Spiking = None,
    profiles: options.OwnProfiles = "",
    root: options.Root = None,
    host: Annotated[
        str, typer.Option(help="Where to listen; a token is needed unless it is this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = 8137,
    token: Annotated[str | None, typer.Option(help="What a page has to know; made up where one is needed.")] = None,
) -> None:
    """Serve the live page of networks that run here, whatever they are made of; each sample is recorded when asked for.

    It listens to this machine alone, refuses other pages and hosts, and reads no pickle. Ctrl-C ends it.

    Example: spikeledger serve --data digits --ann nets.py:ann --snn nets.py:snn
    """
    check(data, comparison, ann, snn)
    from ..hardware.catalog import load_profile
    from ..live.networks import label_of
    from ..live.serving import Server
    from . import building, console

    own = [load_profile(one.strip()) for one in profiles.split(",") if one.strip()]
    left, right, part = networks_of(data, comparison, ann, snn, root)
    names = (label_of(left), label_of(right))
    with building.own_code():
        server = Server(left, right, part, host=host, port=port, token=token, names=names, profiles=own)
    console.tell(f"open {server.url}; Ctrl-C ends it")
    server.run()
