"""Which test rows are relevant to their users, where rankings are judged.

Unless a rating is given, the least relevant one lies three quarters up the scale, rounded to the nearest step: 4 on 1 to 5
and on 0.5 to 5, 8 on 1 to 10, 1 on 0 to 1. Where there is no scale to go by, as without ratings, where all ratings are
equal, and where they are counts, every row is relevant: what a user has come to at all is what is to be found.
"""

import math
from dataclasses import dataclass

from jobs.profile import Profile

SHARE = 0.75
_FEWEST = 20.0
_LOW_MEAN = 0.1

Scale = tuple[float, float, float]


@dataclass(frozen=True)
class Relevance:
    """Rule for relevant rows: a rating of at least `least`, or none; with None every row.

    `why` says so for people.
    """

    least: float | None
    why: str

    @property
    def short(self) -> str:
        """The least rating as a parameter of the run."""
        return "every row" if self.least is None else f"{self.least:g}"


def relevance(asked: float | None, scale: Scale | None, profile: Profile | None) -> Relevance:
    """Return what is relevant.

    Args:
        asked: the least rating that was asked for, None if it is to follow the scale.
        scale: (lowest, highest, step) of the ratings, step 0 where it is not known; None without ratings.
        profile: of the training ratings, if somebody has looked.
    """
    if scale is None:
        return Relevance(None, "every row, for there are no ratings")
    low, high, step = scale
    if asked is not None:
        return Relevance(asked, f"a rating of at least {asked:g}, as asked")
    if low == high:
        return Relevance(None, f"every row, for all ratings are {low:g}")
    if profile is not None and like_counts(scale, profile):
        return Relevance(None, f"every row, for the ratings look like counts ({described(profile)})")
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
    """Whether ratings are spread as counts are: none is negative, and few are far above the many that are small.

    Where the scale is the publisher's own, with a step, they are taken for ratings.
    """
    if scale[2] or profile.ratings is None or profile.mean is None:
        return False
    low, high = profile.ratings
    return low >= 0 and high - low >= _FEWEST and profile.mean - low < _LOW_MEAN * (high - low)


def described(profile: Profile) -> str:
    """Say how ratings are spread."""
    assert profile.ratings is not None and profile.mean is not None  # noqa: PT018 - whoever asks has seen ratings
    low, high = profile.ratings
    return f"from {low:,g} to {high:,g}, {profile.mean:,.3g} on average"
