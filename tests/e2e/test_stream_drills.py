"""Every part fails once in the middle of real streams, and everything is reconciled afterwards."""

import json
from pathlib import Path

import pytest

from experiments.studies.stream_drills.kinds import DRILLS
from tests.e2e.place import Place

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]


def test_everything_is_reconciled_after_faults_in_every_part(tmp_path, cluster_sets):
    place = Place(tmp_path, cluster_sets)
    text = place.run("stream-drill", "together", "--seeds", "1", "--total", "20000")
    assert "reconciled" in text
    kept = json.loads(
        (
            place.run_dir / "experiments" / "stream-drills" / "together-1-20000" / "stream-drill.json"
        ).read_text()
    )
    assert (kept["acknowledged"], kept["differing"], kept["findings"]) == (20_000, 0, [])
    assert kept["compared"] > 40_000
    assert kept["bad"] > 500
    assert len(kept["victim"].split(", then ")) == len(DRILLS["together"].parts)
    assert kept["recovery_s"] > 0
    assert not list((place.run_dir / "stream-drills").glob("*"))
    (run,) = place.runs("stream-drills", "stream-drill")
    report = Path(run.info.artifact_uri.removeprefix("file://")) / "report" / "stream-drills.html"
    assert report.read_text() == (place.run_dir / "reports" / "stream-drills.html").read_text()
    assert place.processes() == []
