"""Sizes for the terminal."""


def size(number: int) -> str:
    """Return a number of bytes with a readable unit."""
    amount = float(number)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
