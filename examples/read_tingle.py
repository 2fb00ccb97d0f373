"""Print what `rtasmr live` publishes; needs pylsl alone."""

import pylsl

(info,) = pylsl.resolve_byprop("name", "rtasmr-tingle", timeout=10)
inlet = pylsl.StreamInlet(info, recover=False)
print("model", inlet.info().desc().child_value("model"))
while True:
    sample, stamp = inlet.pull_sample(timeout=1.0)
    if sample is None:
        continue
    p, _, _, age_s, tick, status, modalities = sample
    if status == 0:
        print(f"{stamp:.1f} s  p = {p:.2f}  (this is {age_s:.2f} s ago)", flush=True)
    else:
        print(f"{stamp:.1f} s  no probability, status {int(status)}", flush=True)
