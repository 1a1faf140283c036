"""Warnings of a training run: data that suit the model badly, and numbers with little meaning."""

from collections.abc import Iterator

from jobs.judge.evaluate import Evaluation
from jobs.prepare.profile import Profile
from jobs.prepare.relevance import Relevance, Scale, described, like_counts


def before_fit(
    name: str, *, predicts_rating: bool, scale: Scale | None, profile: Profile | None
) -> Iterator[str]:
    """Yield warnings before a fit, which may take long."""
    if predicts_rating and scale is not None and profile is not None and like_counts(scale, profile):
        yield (
            f"the ratings look like counts ({described(profile)}), and {name} predicts ratings: a few large counts outweigh all "
            "others in its error. Use als_implicit, to which a count says how certain a preference is "
            '(MODEL=als_implicit SET="model.confidence=log"). If they are ratings and a few of them are wrong, set their '
            "scale: clean.min_rating=..., clean.max_rating=..."
        )


def after_fit(name: str, found: Evaluation, relevant: Relevance, *, ranked: bool) -> Iterator[str]:
    """Yield warnings about quality numbers that mean little; `ranked` is whether there were lists to judge."""
    rmse, mean = (found.metrics.get(metric) for metric in ("rmse", "rmse_global_mean"))
    if rmse is not None and mean is not None and rmse > mean:
        yield (
            f"{name} is worse than the mean of all ratings: RMSE {rmse:.4g} against {mean:.4g} on the same rows. Raise reg or "
            "lower rank if it has them; for counts use als_implicit"
        )
    if ranked and not found.counts.get("ranked_users"):
        yield (
            f"rankings are not judged, because no test row is relevant. Relevant is {relevant.why}. Lower job.relevant, or leave it "
            "out so that it follows the scale"
        )
