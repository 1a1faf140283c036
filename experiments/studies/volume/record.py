"""Keeps measured volumes in MLflow, one run each."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.page.document import Document
from experiments.record.run_tags import NOTE
from experiments.record.run_tree import Node
from experiments.results.metrics import Number
from experiments.studies.volume.growth import NAME, a_message, a_second
from experiments.studies.volume.measured import PLACES, Size

if TYPE_CHECKING:
    from experiments.record.recorder import Recorder  # it takes seconds to import


def record(
    recorder: "Recorder", report: Document, sizes: Sequence[Size], rate: float, files: Sequence[Path]
) -> None:
    """Keep a measurement: bytes of a message of each topic and bytes a second, by place, and the report's files.

    Raises:
        RecordingError: the record cannot be written.
    """
    each = [
        Number(f"bytes_a_message_{topic}_{place.lower()}", size)
        for place in PLACES
        for topic, size in a_message(sizes, place).items()
    ]
    growth = [
        Number(f"bytes_a_second_{place.lower()}", size) for place, size in a_second(sizes, rate).items()
    ]
    when = time.strftime("%Y-%m-%dT%H:%M:%S")
    node = Node(
        name=f"{NAME} {when}",
        kind=NAME,
        tags={NOTE: report.markdown()},
        params={"rate": f"{rate:g}"},
        metrics=[*each, *growth],
        files=list(files),
    )
    recorder.keep(NAME, node, f"{NAME} {when}", "ok")
