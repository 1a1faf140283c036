"""Spark's event log, invented: stages of tasks with known intervals and costs, as lines that Spark would write."""

import json

BEGIN = 1_700_000_000.0  # seconds since 1970
PHASE = "fit#1"


def milliseconds(seconds):
    return round((BEGIN + seconds) * 1000)


def executor(name="0", cores=1, at=0.0):
    return {
        "Event": "SparkListenerExecutorAdded", "Timestamp": milliseconds(at), "Executor ID": name,
        "Executor Info": {"Host": "127.0.0.1", "Total Cores": cores},
    }  # fmt: skip


def lost(name="0", at=0.0):
    return {
        "Event": "SparkListenerExecutorRemoved", "Timestamp": milliseconds(at), "Executor ID": name,
        "Removed Reason": "worker lost",
    }  # fmt: skip


def wanted(cores):
    return {"Event": "SparkListenerEnvironmentUpdate", "Spark Properties": {"spark.cores.max": str(cores)}}


def application(at=0.0, end=False):
    kind = "End" if end else "Start"
    return {"Event": f"SparkListenerApplication{kind}", "Timestamp": milliseconds(at), "App Name": "invented"}


def stage(number, group=PHASE, attempt=0, tasks=1, at=0.0):
    info = {
        "Stage ID": number, "Stage Attempt ID": attempt, "Stage Name": f"stage {number}", "Number of Tasks": tasks,
        "Submission Time": milliseconds(at),
    }  # fmt: skip
    properties = {"spark.jobGroup.id": group} if group else {}
    return {"Event": "SparkListenerStageSubmitted", "Stage Info": info, "Properties": properties}


def job(number, stages, group, start, end=None):
    properties = {"spark.jobGroup.id": group} if group else {}
    yield {
        "Event": "SparkListenerJobStart", "Job ID": number, "Submission Time": milliseconds(start), "Stage IDs": stages,
        "Properties": properties,
    }  # fmt: skip
    if end is not None:
        yield {"Event": "SparkListenerJobEnd", "Job ID": number, "Completion Time": milliseconds(end)}


def started(number, start, task_id=0, attempt=0):
    return {
        "Event": "SparkListenerTaskStart", "Stage ID": number, "Stage Attempt ID": attempt,
        "Task Info": {"Task ID": task_id, "Launch Time": milliseconds(start)},
    }  # fmt: skip


def task(number, start, end, attempt=0, failed=False, reason="Success", task_id=0, partition=0, **costs):
    """One task; `costs` are seconds (gc, wait, write, deserialise, idle: neither run nor told), bytes (spill, heap) and python."""
    total = end - start
    deserialise = costs.get("deserialise", 0.0)
    run = total - deserialise - costs.get("idle", 0.0)
    accumulables = [{"ID": 7, "Name": 'text with "Task Executor Metrics": {', "Update": "1", "Value": "2"}]
    if costs.get("python"):
        accumulables.append({"ID": 8, "Name": "data sent to Python workers", "Update": "1", "Value": "1"})
    return {
        "Event": "SparkListenerTaskEnd", "Stage ID": number, "Stage Attempt ID": attempt, "Task Type": "ResultTask",
        "Task End Reason": {"Reason": reason},
        "Task Info": {
            "Task ID": task_id, "Partition ID": partition, "Launch Time": milliseconds(start),
            "Finish Time": milliseconds(end), "Failed": failed, "Killed": False, "Accumulables": accumulables,
        },
        "Task Executor Metrics": {"JVMHeapMemory": costs.get("heap", 0), "OnHeapUnifiedMemory": costs.get("heap", 0) // 2},
        "Task Metrics": {
            "Executor Deserialize Time": round(deserialise * 1000), "Executor Run Time": round(run * 1000),
            "Executor CPU Time": round(run * 5e8), "JVM GC Time": round(costs.get("gc", 0.0) * 1000),
            "Result Serialization Time": 0, "Memory Bytes Spilled": costs.get("spill", 0),
            "Disk Bytes Spilled": costs.get("spill", 0) // 2,
            "Shuffle Read Metrics": {
                "Fetch Wait Time": round(costs.get("wait", 0.0) * 1000), "Remote Bytes Read": 5, "Local Bytes Read": 7,
            },
            "Shuffle Write Metrics": {
                "Shuffle Bytes Written": 11, "Shuffle Write Time": round(costs.get("write", 0.0) * 1e9),
            },
            "Input Metrics": {"Records Read": 13},
        },
    }  # fmt: skip


def phase(start, end, name="fit", number=1, kind="repeat"):
    """What an application says of a phase; without an end it was killed in the middle."""
    yield {"event": "phase_start", "phase": name, "pass_": number, "kind": kind, "clock": BEGIN + start}
    if end is not None:
        yield {"event": "phase_end", "phase": name, "pass_": number, "kind": kind, "clock": BEGIN + end}


def write(folder, events, tail=""):
    """Write a log as Spark would and return its folder."""
    folder.mkdir(exist_ok=True)
    lines = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)
    (folder / "app-1").write_text(lines + tail)
    return folder
