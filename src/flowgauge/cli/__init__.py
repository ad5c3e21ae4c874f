"""The command line: parse, call, print. Exit 0 fine, 1 some rows failed, 2 wrong use."""

import sys


def main() -> None:
    """Entry point of the `flowgauge` command."""
    try:
        from flowgauge.cli.app import app
        from flowgauge.errors import FlowgaugeError

        # A terminal that lacks a character shows a question mark, not a traceback.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        app()
    except KeyboardInterrupt:  # before the commands, which have words of their own for it
        raise SystemExit(130) from None
    except FlowgaugeError as error:
        sys.stderr.write(f"flowgauge: {error}\n")
        raise SystemExit(2) from None
    except OSError as error:  # a full disk, a folder that cannot be written
        sys.stderr.write(f"flowgauge: {error}\n")
        raise SystemExit(2) from None
