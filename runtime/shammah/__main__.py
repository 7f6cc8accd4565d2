"""`python -m shammah` is `shammah`."""

import sys

try:
    from shammah_convert.collector import resting

    with resting():  # a tenth of the time until a prompt appears
        from shammah.cli import main
except KeyboardInterrupt:  # before there is a command that could hear of it
    sys.exit(130)

if __name__ == "__main__":
    main()
