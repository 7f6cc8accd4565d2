"""`python -m shammah` is `shammah`."""

from shammah_convert.collector import resting

with resting():  # a tenth of the time until a prompt appears
    from shammah.cli import main

if __name__ == "__main__":
    main()
