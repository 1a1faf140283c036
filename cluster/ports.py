"""Message about a port that is taken."""

from cluster import processes
from cluster.service import Port
from cluster.settings import environment_name


def describe_taken(port: Port) -> str:
    """Describe the process that holds a port and the setting that changes the port."""
    address = port.published or port.address
    process = processes.holder(address.port)
    if process is None:
        who = "a process that this account cannot see"
    else:
        owner = processes.mark(process)
        ours = f", the service {owner}" if owner else ""
        command = processes.command(process)
        who = f"pid {process.pid}{ours} ({command})"
        if "docker-proxy" in command:
            who = f"a container (docker ps --filter publish={address.port} names it)"
    if port.setting is None:
        return f"port {address} is taken by {who}; run the command again to have another one chosen"
    other = address.port + 1000 if address.port < 64000 else address.port - 1000
    return (
        f"port {address} is taken by {who}; stop that, or take another port: "
        f"--set {port.setting}={other} (environment {environment_name(port.setting)}={other})"
    )
