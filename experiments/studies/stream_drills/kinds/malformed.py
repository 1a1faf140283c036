"""Nothing is killed: a twentieth of the messages are malformed, doubled, late, early or of another type."""

from experiments.studies.stream_drills.drill import EVERY, Plain, Setting

KINDS = "malformed,wrong-type,missing-field,null-key,future,duplicate,late,epoch,extra-field"


class Malformed(Plain):
    """Dead letters by every reason, doubles in the lake's rows that are one in Cassandra, and late ones beside windows."""

    what = "nothing; 5% of the messages are bad, doubled or late"
    setting = Setting("events", EVERY, bad=0.05, kinds=KINDS)
    parts = ()


DRILL = Malformed()
