"""`python -m flowgauge` is the `flowgauge` command."""

from flowgauge.cli import main

if __name__ == "__main__":
    main()
