"""The command line: parse, call, print. Exit 0 fine, 1 some rows failed, 2 wrong use."""

import sys


def main() -> None:
    """Entry point of the `flowgauge` command."""
    from flowgauge.cli.app import app
    from flowgauge.errors import FlowgaugeError

    try:
        app()
    except FlowgaugeError as error:
        sys.stderr.write(f"flowgauge: {error}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        sys.stderr.write("flowgauge: interrupted; --resume continues the run\n")
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of a pipe had enough
        sys.stderr.close()
        raise SystemExit(0) from None
