"""`ncadm console`: a page on loopback that shows the server live, and changes it."""

import asyncio
import contextlib
import logging
import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nc.cli.extras import require_extra
from nc.cli.ncadm.where import options_of
from nc.secrets import SystemSecrets

if TYPE_CHECKING:  # imported when it runs, so that --help does not need it
    from nc.client.contexts import Context

DEFAULT_PORT = 6480


def console(
    context: typer.Context,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="On 127.0.0.1; 0: any free one.")
    ] = DEFAULT_PORT,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in your browser.")
    ] = True,
) -> None:
    """Show the server in your browser, live, until Ctrl-C.

    The page is served on this machine's loopback, and acts with your certificate. The link that is
    printed lets one browser in, once.

    Example: ncadm --context prod console
    """
    for package in ("starlette", "uvicorn"):
        require_extra("console", package)
    place = options_of(context).resolved()
    with contextlib.suppress(KeyboardInterrupt):  # which is how it ends
        asyncio.run(_serve(place, port, opens=browser))


def open_browser(url: str) -> None:
    """Open a page, if there is a desktop.

    A text browser would be waited for, and the page is served only later.
    """
    if shutil.which("xdg-open"):
        typer.launch(url)


async def _serve(place: "Context", port: int, *, opens: bool) -> None:
    from nc.cli.ncadm.certificates import explained
    from nc.client.pem_files import UnusableFile
    from nc.console.serving import console as made

    # what cannot be reached is shown on the page
    for name in ("grpc", "nc.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        async with made(place, port, SystemSecrets()) as (url, server, listening):
            typer.echo(f"console of {place.host}:{place.port}: {url}")
            typer.echo("the link is good for one time; Ctrl-C ends the console", err=True)
            sys.stdout.flush()
            if opens:
                open_browser(url)
            await server.serve(sockets=[listening])
    except UnusableFile as error:
        raise explained(error) from error
