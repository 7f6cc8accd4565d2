"""A clock on the wall that somebody has set: patched where Python reads it, for the rest of a process."""

import datetime
import sys
import time
from collections.abc import Callable
from typing import Any, Self

HOUR, DAY = 3600.0, 86400.0
YEAR = 365.25 * DAY


def shift(seconds: float) -> Callable[[], None]:
    """Let this process's clock go so many seconds ahead; what sets it right again."""
    real = {name: getattr(time, name) for name in ("time", "time_ns", "localtime", "gmtime", "strftime")}
    own = {"datetime": _datetime(seconds), "date": _date(seconds)}
    time.time = lambda: real["time"]() + seconds
    time.time_ns = lambda: real["time_ns"]() + round(seconds * 1e9)
    time.localtime = lambda at=None: real["localtime"](time.time() if at is None else at)
    time.gmtime = lambda at=None: real["gmtime"](time.time() if at is None else at)
    time.strftime = lambda form, at=None: real["strftime"](form, time.localtime() if at is None else at)
    before = {name: getattr(datetime, name) for name in own}
    _replace(before, own)

    def back() -> None:
        for name, function in real.items():
            setattr(time, name, function)
        _replace(own, before)

    return back


def _replace(these: dict[str, Any], by: dict[str, Any]) -> None:
    """Put other classes in the place of some, in the module that has them and wherever ours have imported them."""
    for name, kind in by.items():
        setattr(datetime, name, kind)
    for module in [module for name, module in sys.modules.items() if name.split(".")[0] == "shammah"]:
        for name, kind in these.items():
            if vars(module).get(name) is kind:
                setattr(module, name, by[name])


def _datetime(seconds: float) -> type[datetime.datetime]:
    class Shifted(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Self:
            return super().now(tz) + datetime.timedelta(seconds=seconds)

    return Shifted


def _date(seconds: float) -> type[datetime.date]:
    class Shifted(datetime.date):
        @classmethod
        def today(cls) -> Self:
            return super().today() + datetime.timedelta(seconds=seconds)

    return Shifted
