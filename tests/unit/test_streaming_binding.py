"""Binding of checkpoints, on folders made by hand."""

import shutil

from jobs.streaming.binding import CHECKPOINT, Fingerprint, bind, identity


def test_a_checkpoint_that_was_taken_away_gets_another_identity(tmp_path):
    mine = Fingerprint("lake", "ratings", "ratings", "id-1", {"mode": "append"})
    bind(tmp_path, mine)
    (tmp_path / CHECKPOINT).mkdir()
    (tmp_path / CHECKPOINT / "metadata").touch()
    first = identity(tmp_path)
    bind(tmp_path, mine)
    assert identity(tmp_path) == first
    shutil.rmtree(tmp_path / CHECKPOINT)
    bind(tmp_path, mine)
    assert identity(tmp_path) != first
