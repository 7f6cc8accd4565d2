"""`python -m shammah` is `shammah`."""

from shammah.cli import main

if __name__ == "__main__":
    main()
