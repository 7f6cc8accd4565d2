"""Amounts of memory are read as people write them, and nonsense is refused."""

import pytest

from shammah.amounts import Memory, gigabytes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("3GB", 3 * 10**9),
        ("3G", 3 * 10**9),
        ("3g", 3 * 10**9),
        ("3GiB", 3 * 2**30),
        ("3Gi", 3 * 2**30),
        ("2500MB", 2_500_000_000),
        (" 2500 mb ", 2_500_000_000),
        ("1.5GB", 1_500_000_000),
        ("0.5GiB", 2**29),
        ("1TB", 10**12),
        ("1000kB", 1_000_000),
    ],
)
def test_an_amount_is_a_number_with_a_unit(text: str, count: int) -> None:
    assert Memory.read(text).bytes == count


@pytest.mark.parametrize("count", [0, 3 * 10**9, 2**31, 3 * 10**12, 1_500_000_000, 1_234_567_891])
def test_what_is_said_of_an_amount_is_read_as_the_same_amount(count: int) -> None:
    assert Memory.read(str(Memory(count))) == Memory(count)


@pytest.mark.parametrize(
    "text", ["3", "GB", "lots", "-3GB", "3 GB free", "3,5GB", "0GB", "1kB", "nanGB", "1e9GB", "3B", "3GB\n4GB", "٣GB"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no amount of memory|less than a megabyte"):
        Memory.read(text)


def test_bytes_are_told_in_gigabytes() -> None:
    assert gigabytes(1_449_999_999) == "1.4 GB"
