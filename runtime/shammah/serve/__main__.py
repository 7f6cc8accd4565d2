"""`python -m shammah.serve`: the daemon, as `shammah serve --detach` starts it."""

import logging
import os
import sys

from shammah import config, crash
from shammah.errors import BadModel, ConfigError, ModelMissing, ShammahError
from shammah.serve.daemon import Daemon
from shammah.serve.engines import open_engine
from shammah.serve.place import UNUSABLE


def main() -> int:
    """Serve until told to stop."""
    os.umask(0o077)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    crash.settle()
    try:
        Daemon(config.load(), open_engine, config.load).run()
    except ShammahError as error:
        logging.getLogger(__name__).critical("%s. %s", error, error.hint)
        return UNUSABLE if isinstance(error, ConfigError | ModelMissing | BadModel) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
