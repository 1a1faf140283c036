"""The peaks of executor memory in Spark's event log, invented."""

import json

from eventlogs import task, write

from experiments.telemetry import telemetry


def looked(**metrics):
    return {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": 0,
        "Task Info": {"Launch Time": 1000, "Finish Time": 2000},
        "Task Executor Metrics": metrics,
    }


def stage(executor, **metrics):
    where = {"Event": "SparkListenerStageExecutorMetrics", "Executor ID": executor, "Stage ID": 0}
    return {**where, "Executor Metrics": metrics}


def test_memory_is_the_highest_of_any_executor():
    events = [
        looked(JVMHeapMemory=50, OnHeapUnifiedMemory=20, ProcessTreePythonRSSMemory=0),
        looked(JVMHeapMemory=40, OnHeapUnifiedMemory=30),
        stage("1", JVMHeapMemory=70, ProcessTreeJVMRSSMemory=90),
        stage("driver", JVMHeapMemory=900),
    ]
    found = telemetry.add(telemetry.Telemetry(), events)
    assert found.memory == {"heap": 70, "managed": 30, "jvm_rss": 90}
    assert json.loads(json.dumps(found.digest()))["memory"] == found.memory


def test_memory_that_nobody_looked_at_is_not_there():
    unseen = [looked(), looked(JVMHeapMemory=0)]
    assert telemetry.add(telemetry.Telemetry(), unseen).memory == {}


def test_memory_is_read_from_the_log_that_spark_writes(tmp_path):
    events = [task(0, 0, 1, heap=80), stage("1", ProcessTreePythonRSSMemory=90)]
    assert telemetry.read(write(tmp_path, events)).memory == {"heap": 80, "managed": 40, "python_rss": 90}
