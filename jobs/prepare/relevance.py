"""Rule for the test rows that are relevant to their users when rankings are judged.

By default the least relevant rating lies three quarters up the scale, rounded to the nearest step: 4 on 1 to 5 and on 0.5
to 5, 8 on 1 to 10, 1 on 0 to 1. Without ratings, if all ratings are equal, and if they are counts, every row is relevant.
"""

import math
from dataclasses import dataclass

from jobs.prepare.profile import Profile

SHARE = 0.75
_FEWEST = 20.0
_LOW_MEAN = 0.1

Scale = tuple[float, float, float]


@dataclass(frozen=True)
class Relevance:
    """Rule for relevant rows: those with a rating of at least `least` or without one; with None every row.

    `why` says this in words.
    """

    least: float | None
    why: str

    @property
    def short(self) -> str:
        """The least rating as text, for a parameter of the run."""
        return "every row" if self.least is None else f"{self.least:g}"


def relevance(asked: float | None, scale: Scale | None, profile: Profile | None) -> Relevance:
    """Return the rule for relevant rows.

    Args:
        asked: the least relevant rating that was set; None to follow the scale.
        scale: (lowest, highest, step) of the ratings, step 0 if it is not known; None without ratings.
        profile: profile of the training ratings, if it is known.
    """
    if scale is None:
        return Relevance(None, "every row, because there are no ratings")
    low, high, step = scale
    if asked is not None:
        return Relevance(asked, f"a rating of at least {asked:g}, as set by relevant")
    if low == high:
        return Relevance(None, f"every row, because all ratings are {low:g}")
    if profile is not None and like_counts(scale, profile):
        return Relevance(None, f"every row, because the ratings look like counts ({described(profile)})")
    least = threshold(scale)
    steps = f" in steps of {step:g}" if step else ""
    return Relevance(
        least, f"a rating of at least {least:g}, three quarters up the scale {low:g} to {high:g}{steps}"
    )


def threshold(scale: Scale) -> float:
    """Return the rating three quarters up a scale, rounded to the nearest step, upwards from the middle."""
    low, high, step = scale
    above = SHARE * (high - low)
    if step:
        above = math.floor(round(above / step, 9) + 0.5) * step
    return round(low + above, 9)


def like_counts(scale: Scale, profile: Profile) -> bool:
    """Whether ratings are distributed like counts: none is negative, most are small, and a few are far larger.

    On a publisher's scale, which has a step, they count as ratings.
    """
    if scale[2] or profile.ratings is None or profile.mean is None:
        return False
    low, high = profile.ratings
    return low >= 0 and high - low >= _FEWEST and profile.mean - low < _LOW_MEAN * (high - low)


def described(profile: Profile) -> str:
    """Return the ratings' range and mean as text."""
    assert profile.ratings is not None and profile.mean is not None  # noqa: PT018 - callers have seen ratings
    low, high = profile.ratings
    return f"from {low:,g} to {high:,g}, {profile.mean:,.3g} on average"
