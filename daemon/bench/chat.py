"""Chat: 500 people in one room of a real perchd with a real store, 20 messages a second, for a minute. The bench `chat_crowd` of the crate
perchd plays the crowd, and builds and starts its own daemon; to run it alone: `cargo bench -p perchd --bench chat_crowd`.
"""

import json
import subprocess

import machine
import table

_DELIVERY = 0.100
_PATIENCE = 1800
"""Seconds, including a build."""


def measure() -> table.Result:
    """Runs the crowd; fails if a message was lost, duplicated, out of order, or not stored."""
    command = ["cargo", "bench", "--locked", "--quiet", "-p", "perchd", "--bench", "chat_crowd"]
    said = subprocess.run(command, cwd=machine.REPOSITORY, stdout=subprocess.PIPE, text=True, timeout=_PATIENCE, check=True)
    return compare(json.loads(said.stdout.splitlines()[-1]))


def compare(figures: dict) -> table.Result:
    """The crowd's figures as rows."""
    p50, p99, longest = (figures[name] / 1e3 for name in ("p50_ms", "p99_ms", "max_ms"))
    wrong = figures["lost"] + figures["doubled"] + figures["out_of_order"]
    rows = [
        table.Row("delivery, 99 of 100 within", table.milliseconds(p99), "", target=f"< {table.milliseconds(_DELIVERY)}", met=p99 < _DELIVERY),
        table.Row("delivery, half within", table.milliseconds(p50), ""),
        table.Row("delivery, slowest", table.milliseconds(longest), ""),
        table.Row("lost, doubled or out of order", str(wrong), "", target="0", met=wrong == 0),
        table.Row("kept of what was acknowledged", f"{figures['kept']} of {figures['messages']}", "", target="all", met=figures["kept"] == figures["messages"]),
        table.Row("memory for each client", table.size(figures["bytes_per_client"]), ""),
    ]
    notes = [
        f"{figures['clients']} WebSocket clients in one process beside the daemon, {figures['messages']} messages, {figures['deliveries']} deliveries; "
        "from before a message is sent to after it is read, over loopback.",
        "Memory: resident memory of perchd with everybody in the room less that before anybody came, by the number of clients.",
        "No peer is measured.",
    ]
    return table.Result("Chat, 500 people in one room", "", rows, notes)
