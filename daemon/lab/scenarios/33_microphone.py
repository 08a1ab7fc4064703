"""A microphone whose clock is wrong by 1,000 ppm either way, that overruns, falls silent, and is unplugged in mid-stream: sound and picture stay in step,
and its sound comes back after it was plugged in again."""

import json
import os
import statistics
import signal
import time

from lab import devices, sound
from lab.daemon import Perchd
from lab.failure import require, wait_for

# For the long run (make sound-in-lab): how long each of the first two clocks runs, with a recording each minute.
MINUTES = int(os.environ.get("PERCH_LAB_SOUND_MINUTES", "0"))
SECONDS = 400 + 150 * MINUTES
CHECK_SECONDS = 300 + 30 * MINUTES
# Seconds of sound in each of the recordings.
RECORDED = 6
# Recordings and what the card's clock is wrong by, parts per million.
PHASES = {"fast": 1000, "slow": -1000}
ALLOWED_MS = 40


def guest(lab):
    sound.plug_in()
    words = []
    with Perchd(
        lab, source="test-pattern", tone=True, microphone=sound.MICROPHONE, encoder="software"
    ) as perchd:
        player = sound.play(lab, PHASES["fast"], SECONDS)
        perchd.wait_live(40)
        token = perchd.set_up()

        def microphone():
            status, body = perchd.ask("GET", "/api/v1/cameras/front/microphone", token=token)
            require(status == 200, f"{status} {body}")
            return json.loads(body)

        def plays():
            state = microphone()
            return state if (state["peak_dbfs"] or -96) > -20 else None

        for name, ppm in PHASES.items():
            if name != "fast":
                sound.stop(player)
                player = sound.play(lab, ppm, SECONDS)
            wait_for(plays, 20, lambda: f"no chirp is heard: {microphone()}")
            # Until the rate is known, and no segment is from before.
            perchd.wait_segments(RECORDED + 3, 60)
            perchd.save(f"{name}.ts", RECORDED)
            state = microphone()
            words.append(f"{name}: {state['drift_ppm']} ppm {state['detail']}".strip())
            for minute in range(MINUTES):
                perchd.wait_segments(60, 90)
                perchd.save(f"{name}-{minute:02}.ts", RECORDED)
            # Times of the last 20 s count most, so the second drift is still mixed with the first.
            expected = {"fast": (900, 1100), "slow": (-1100, 900)}[name]
            require(expected[0] < state["drift_ppm"] < expected[1], f"{name}: {state}")

        # Nobody reads for longer than the kernel's buffer lasts.
        mended = microphone()["mended"]
        perchd.process.send_signal(signal.SIGSTOP)
        time.sleep(1.2)
        perchd.process.send_signal(signal.SIGCONT)
        wait_for(lambda: microphone()["mended"] > mended, 10, "no sound is missed after 1.2 s without a reader")
        perchd.wait_segments(RECORDED + 2, 60)
        perchd.save("overrun.ts", RECORDED)

        sound.stop(player)
        wait_for(lambda: microphone()["rms_dbfs"] == -96, 10, lambda: f"silence is not seen: {microphone()}")

        sound.unplug()
        gone, took = wait_for(
            lambda: microphone() if microphone()["device"] is None else None, 10, lambda: f"still there: {microphone()}"
        )
        require(sound.MICROPHONE in gone["detail"], f"{gone}")
        words.append(f"unplugged: told after {took:.1f} s ({gone['detail']})")
        perchd.wait_segments(4, 30)
        perchd.save("without.ts", 1)
        sound.plug_in()
        player = sound.play(lab, 0)
        _, took = wait_for(plays, 20, lambda: f"not heard again: {microphone()}")
        words.append(f"heard again after {took:.1f} s")
        perchd.wait_segments(RECORDED + 2, 60)
        perchd.save("again.ts", RECORDED)
        sound.stop(player)
        words.append(probed(lab, perchd))
    return "; ".join(words)


def probed(lab, perchd):
    """What `perchd probe` says of a microphone in use, and of a silent one."""
    busy = devices.run(lab.perchd, "--config", perchd.config, "probe")
    require(f'microphone = "{sound.MICROPHONE}"' in busy and "is busy" in busy, busy[-800:])
    perchd.stop()
    silent = devices.run(lab.perchd, "--config", perchd.config, "probe")
    require("it delivers silence" in silent, silent[-800:])
    return "probe tells busy and silent"


def check(lab):
    words = []
    if MINUTES:
        words.append(tabulate(lab))
    for name in (*PHASES, "overrun", "again"):
        late = sound.out_of_step(os.path.join(lab.out, f"{name}.ts"))
        require(len(late) >= RECORDED - 3, f"{name}: {len(late)} chirps in {RECORDED} s")
        worst = max(late, key=abs)
        require(abs(worst) < ALLOWED_MS, f"{name}: the sound is late by {[round(one) for one in late]} ms")
        words.append(f"{name} {worst:+.1f} ms")
    streams = devices.run("ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0", f"{lab.out}/without.ts")
    require("audio" not in streams, "the stream announces sound while there is no microphone")
    return "greatest |A-V|: " + ", ".join(words)


def tabulate(lab):
    """Writes table.txt: by how much the sound was late in each minute of the long run. Returns the greatest."""
    lines = ["Sound against the clock in the picture, milliseconds (early is negative), in the lab's machine with snd-aloop: make sound-in-lab",
             f"{RECORDED} s of each minute are measured: the middle, and the greatest distance from 0.", "", f"{'minute':>6}  {'+1,000 ppm':>16}  {'-1,000 ppm':>16}"]
    greatest = 0.0
    for minute in range(MINUTES):
        columns = []
        for name in ("fast", "slow"):
            late = sound.out_of_step(os.path.join(lab.out, f"{name}-{minute:02}.ts"))
            require(late, f"no chirp in minute {minute} of {name}")
            worst = max(late, key=abs)
            greatest = max(greatest, worst, key=abs)
            columns.append(f"{statistics.median(late):+7.1f} {worst:+7.1f}")
        lines.append(f"{minute + 1:>6}  {columns[0]:>16}  {columns[1]:>16}")
    with open(os.path.join(lab.out, "table.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    require(abs(greatest) < ALLOWED_MS, f"the sound is {greatest:+.1f} ms late in the long run: {lab.out}/table.txt")
    return f"{MINUTES} minutes each {greatest:+.1f} ms"
