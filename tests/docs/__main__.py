"""`python -m tests.docs --write` writes the pages that are made of what the commands say."""

import argparse

from tests.docs.reference import PAGE, page


def main() -> None:
    """Write the reference."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs", description=main.__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="overwrite docs/reference.md")
    parser.parse_args()
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
