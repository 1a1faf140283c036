"""What is done again when a node goes away, how many copies are asked for, and what is said when there are fewer."""

import pytest
from cassandra import InvalidRequest, WriteTimeout

from cluster.configuration import load
from cluster.lifecycle import Cluster
from core.errors import JobError, ServiceError
from jobs.stores.cassandra import access as cassandra
from jobs.stores.cassandra import replication
from jobs.stores.cassandra import retry as cassandra_retry
from jobs.stores.cassandra.versions import KeyspaceVersions

LOST = "java.lang.IllegalStateException: gone\n\tat com.datastax.oss.driver.internal.core.metadata.X"


class Keyspace:
    """Keeps so many copies; a quorum answers when it was asked so many times."""

    def __init__(self, *, spares_a_node, silent=0):
        self.spares_a_node = spares_a_node
        self.asked, self._silent = 0, silent

    def answers(self):
        self.asked += 1
        return self.asked > self._silent


class Action:
    """Fails so many times with an error, then answers."""

    def __init__(self, failures, error=LOST):
        self.done, self._failures, self._error = 0, failures, error

    def __call__(self):
        self.done += 1
        if self.done <= self._failures:
            raise RuntimeError(self._error)
        return "rows"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(cassandra_retry, "_PAUSE_S", 0.0)


def test_what_a_lost_node_interrupted_is_done_again_when_a_quorum_answers():
    action, keyspace = Action(2), Keyspace(spares_a_node=True, silent=3)
    forgotten = []
    assert cassandra_retry.repeated(action, keyspace, lambda: forgotten.append(action.done)) == "rows"
    assert action.done == 3
    assert forgotten == [1, 2]  # between the tries: a session that failed once may hang for ever
    assert keyspace.asked == 5


@pytest.mark.parametrize(
    ("error", "spares_a_node"), [(LOST, False), ("the column holds a time that would be cut off", True)]
)
def test_what_no_other_node_can_mend_is_done_once(error, spares_a_node):
    action = Action(1, error)
    with pytest.raises(RuntimeError):
        cassandra_retry.repeated(action, Keyspace(spares_a_node=spares_a_node), lambda: None)
    assert action.done == 1


def test_it_ends_though_the_driver_fails_for_ever_or_no_quorum_comes(monkeypatch):
    action = Action(100)
    with pytest.raises(RuntimeError):
        cassandra_retry.repeated(action, Keyspace(spares_a_node=True), lambda: None)
    assert action.done == 5
    monkeypatch.setattr(cassandra_retry, "_QUORUM_S", 0.0)
    action = Action(100)
    with pytest.raises(RuntimeError):
        cassandra_retry.repeated(action, Keyspace(spares_a_node=True, silent=1_000_000), lambda: None)
    assert action.done == 1


class Served:
    """A session of nodes that still count on one that is gone: what it does is done, and so many answers are lost."""

    def __init__(self, lost):
        self.versions, self.done, self._lost = {}, 0, lost

    def execute(self, statement, values, *, timeout):
        assert timeout > 0
        rows = []
        if statement.startswith("INSERT"):
            table, number, physical, _ = values
            self.done += 1
            there = self.versions.get((table, number))
            rows = [{"[applied]": there is None, **({} if there is None else {"physical": there})}]
            self.versions.setdefault((table, number), physical)
            if self.done <= self._lost:
                raise WriteTimeout("received only 0 responses", write_type=0)
        return rows


def served(monkeypatch, lost, copies=3):
    session = Served(lost)
    keyspace = cassandra.Keyspace(None, "recscale_things")
    keyspace._known, keyspace._copies = True, copies
    monkeypatch.setattr(cassandra.Keyspace, "session", lambda _: session)
    monkeypatch.setattr(cassandra, "_PAUSE_S", 0.0)
    monkeypatch.setattr(cassandra, "_silent", lambda *_: "silent")
    return session, keyspace


def test_a_version_whose_answer_was_lost_with_a_node_is_published_once(monkeypatch):
    session, keyspace = served(monkeypatch, lost=2)
    assert KeyspaceVersions(keyspace).publish("ratings", "ratings_1", {}) == 1
    assert (session.done, session.versions) == (3, {("ratings", 1): "ratings_1"})


@pytest.mark.parametrize(("copies", "changes"), [(1, {}), (3, {"once": True})])
def test_a_statement_that_no_quorum_can_answer_or_that_can_wait_is_run_once(monkeypatch, copies, changes):
    session, keyspace = served(monkeypatch, lost=1, copies=copies)
    with pytest.raises(JobError):
        keyspace.run("INSERT", ("ratings", 1, "ratings_1", ""), **changes)
    assert session.done == 1


class Session:
    """Answers every statement with these rows, or fails."""

    def __init__(self, *rows, error=None):
        self._rows, self._error = rows, error

    def execute(self, *_):
        if self._error:
            raise self._error
        return self

    def one(self):
        return self._rows[0] if self._rows else None

    def __iter__(self):
        return iter(self._rows)


@pytest.mark.parametrize(
    ("session", "least", "asked"),
    [
        (Session({"value": "3"}), 1, 3),
        (Session({"value": "1"}), 2, 2),
        (Session(), 2, 2),
        (Session(error=InvalidRequest("there is no keyspace system_views")), 2, 2),
    ],
)
def test_the_larger_number_of_copies_counts(session, least, asked):
    assert replication.asked(session, least) == asked


def test_a_keyspace_with_fewer_copies_is_refused_with_what_to_do():
    kept = Session({"replication": {"class": "NetworkTopologyStrategy", "datacenter1": "2"}})
    assert replication.kept(kept, "recscale_things", "datacenter1", 1) == 2
    with pytest.raises(JobError, match=r"recscale_things .* 2 .* 3 .*DROP KEYSPACE recscale_things.* RF=2"):
        replication.kept(kept, "recscale_things", "datacenter1", 3)


@pytest.mark.parametrize(("copies", "quorum"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_a_quorum_is_more_than_half(copies, quorum):
    assert replication.quorum(copies) == quorum


def test_nodes_that_leave_out_others_which_hold_rows_are_not_started(cluster_sets):
    settings = load([*cluster_sets, "cassandra.nodes=1"], {})
    (settings.run_dir / "cassandra" / "cassandra-3" / "data").mkdir(parents=True)
    with pytest.raises(ServiceError, match=r"cassandra\.nodes is 1, .*cassandra-3 .*CASSANDRA=3"):
        Cluster(settings).up({"cassandra"})
    assert Cluster(settings).down() == []
    (service,) = (
        s
        for s in Cluster(load([*cluster_sets, "cassandra.nodes=3"], {})).describe()
        if s.name == "cassandra-1"
    )
    assert service.refusal == ""
