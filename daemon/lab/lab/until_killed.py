"""The program of a small machine (`small_machine`): checks what the last power cut left on the card, and records and chats until the machine is killed.
/out/round.json has the settings of the round."""

import json
import random
import time
import types

from . import block_log, cut_recordings
from .failure import require

DATA = "/mnt/data"


def main():
    """Runs until the machine is killed; ends only with an error."""
    with open("/out/round.json", encoding="utf-8") as file:
        settings = json.load(file)
    lab = types.SimpleNamespace(scratch="/tmp", out="/out", perchd="/bin/perchd")
    facts = open("/out/facts.jsonl", "a", encoding="utf-8")  # pylint: disable=consult-using-with

    def note(fact):
        # The shared folder has no cache: this reaches the host at once.
        facts.write(json.dumps({**fact, "at": time.time()}) + "\n")
        facts.flush()

    def daemon():
        return cut_recordings.daemon(lab, DATA, PERCH_LIVE_RESUME_SECONDS=settings["resume_seconds"])

    with block_log.mounted("/dev/vda", "/mnt", settings["options"]):
        note({"begins": "check"})
        live = None
        with daemon() as perchd:
            if settings["is_first"]:
                cut_recordings.is_up(perchd)
                perchd.set_up()
            else:
                seen = cut_recordings.look(perchd, "/out/seen", settings["streams"])
                live = next((stream for stream, state in seen["streams"].items() if state == "live"), None)
        note({"begins": "use"})
        with daemon() as perchd:
            cut_recordings.is_up(perchd)
            token = cut_recordings.log_in(perchd)
            cut_recordings.use(perchd, token, note, random.Random(settings["seed"]), 3600, live)
    require(False, "nobody killed the machine for an hour")


if __name__ == "__main__":
    main()
