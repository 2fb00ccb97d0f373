"""Send markers to rtasmr from any program, such as a PsychoPy script: paste this and call `send`.

rtasmr live --markers type=Markers,name=PsychoPy --marker-map psychopy.toml
"""

import time

from pylsl import StreamInfo, StreamOutlet, local_clock

info = StreamInfo("PsychoPy", "Markers", 1, 0, "string", "psychopy-stimulus-pc")
outlet = StreamOutlet(info)


def send(text):
    """Send one marker, stamped now: call it right after `win.flip()`, or `win.callOnFlip(send, text)`."""
    outlet.push_sample([text], local_clock())


if __name__ == "__main__":  # a trial: the clip, a rating key in it, the end
    outlet.wait_for_consumers(60)
    for text, pause_s in (("video_vid3_onset", 1.0), ("key_3", 1.0), ("video_vid3_offset", 0.0)):
        send(text)
        time.sleep(pause_s)
    time.sleep(0.5)  # leave the last marker time to be taken
