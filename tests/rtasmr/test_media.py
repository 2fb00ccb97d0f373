from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rtasmr.errors import DataError
from rtasmr.media import index_after_jump, iter_pictures, iter_played_sound, iter_sound, probe, read_sound

N_IMAGES = 120
FPS = 30
CODECS = {
    "plain.avi": ("mpeg4", {}),
    "reordered.avi": ("mpeg4", {"bf": "2"}),
    "intra.avi": ("mjpeg", {}),
    "reordered.mp4": ("mpeg4", {"bf": "2"}),
    "reordered.mkv": ("mpeg4", {"bf": "2"}),
}


def numbered_image(number: int):
    """Grey image that shows its number: two base-12 digits, in the upper and lower half."""
    rgb = np.empty((48, 64, 3), dtype=np.uint8)
    rgb[:24], rgb[24:] = 20 * (number // 12) + 10, 20 * (number % 12) + 10
    return rgb


def number_of(rgb) -> int:
    high, low = rgb[: rgb.shape[0] // 3].mean(), rgb[-(rgb.shape[0] // 3) :].mean()
    return 12 * round((high - 10) / 20) + round((low - 10) / 20)


def write_pictures(container, codec: str, options: dict[str, str]) -> None:
    stream = container.add_stream(codec, rate=FPS, options=options)
    stream.width, stream.height = 64, 48
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    stream.bit_rate = 2_000_000
    for number in range(N_IMAGES):
        container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_image(number), format="rgb24")))
    container.mux(stream.encode())


def write_sound(container, left_right, sfreq: int, first: int = 0) -> None:
    """Write stereo 16-bit samples (n, 2) whose first is number ``first`` of the track."""
    stream = container.add_stream("pcm_s16le", rate=sfreq, layout="stereo")
    for start in range(0, len(left_right), 1000):
        part = np.ascontiguousarray(left_right[start : start + 1000]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
        frame.sample_rate = sfreq
        frame.time_base = Fraction(1, sfreq)
        frame.pts = first + start
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


@pytest.fixture(params=CODECS)
def video(request, tmp_path) -> Path:
    path = tmp_path / request.param
    with av.open(str(path), "w") as container:
        write_pictures(container, *CODECS[request.param])
    return path


@pytest.fixture
def stereo(rng):
    """One second of samples whose mean of both channels is a whole number."""
    mono = rng.integers(-8000, 8000, 44_100)
    difference = rng.integers(-8000, 8000, 44_100)
    return np.stack((mono + difference, mono - difference), axis=1).astype(np.int16)


def wav(path: Path, left_right, sfreq: int = 44_100) -> Path:
    with av.open(str(path), "w") as container:
        write_sound(container, left_right, sfreq)
    return path


# --- pictures -----------------------------------------------------------------------------------


def test_every_image_comes_once_in_order_and_on_time(video):
    images = list(iter_pictures(video, resize=False))
    assert [number_of(rgb) for _, rgb in images] == list(range(N_IMAGES))
    np.testing.assert_allclose([t for t, _ in images], np.arange(N_IMAGES) / FPS, atol=6e-4)


@pytest.mark.parametrize("start_s", [0.1, 1.0, 1.99, 2.35, 3.9])
def test_start_and_stop(video, start_s):
    images = list(iter_pictures(video, start_s, start_s + 0.5, resize=False))
    whole = [
        (t, rgb)
        for t, rgb in iter_pictures(video, resize=False)
        if start_s - 1 / FPS + 1e-3 < t < start_s + 0.5
    ]
    assert [number_of(rgb) for _, rgb in images] == [number_of(rgb) for _, rgb in whole]
    assert [t for t, _ in images] == [t for t, _ in whole]
    for (_, seeked), (_, decoded) in zip(images, whole, strict=True):
        np.testing.assert_array_equal(seeked, decoded)


def test_start_gives_the_image_on_screen(video):
    time_s, rgb = next(iter_pictures(video, 1.05, resize=False))
    assert number_of(rgb) == 31  # shown from 1.033 s to 1.067 s
    assert time_s == pytest.approx(31 / FPS, abs=6e-4)


def test_images_at_ticks_are_the_newest(video):
    ticks = np.arange(40) / 10
    images = list(iter_pictures(video, resize=False, shown_at=ticks))
    assert [number_of(rgb) for _, rgb in images] == list(range(0, N_IMAGES, 3))


def test_times_without_an_image_give_none(video):
    assert list(iter_pictures(video, shown_at=np.array([-1.0]))) == []
    ends = [number_of(rgb) for _, rgb in iter_pictures(video, resize=False, shown_at=np.array([99.0]))]
    assert ends == [N_IMAGES - 1]


def test_resized_for_the_encoder(video):
    _, picture = next(iter_pictures(video))
    assert (picture.shape, picture.dtype) == ((224, 224, 3), np.uint8)
    assert number_of(picture) == 0


def test_empty_slots_of_an_avi_count(tmp_path):
    """A repeated image is an empty slot: what follows is shown that much later."""
    path = tmp_path / "slots.avi"
    with av.open(str(path), "w") as container:
        # Key images where the period says, not where the picture jumps.
        stream = container.add_stream("mpeg4", rate=FPS, options={"g": "12", "sc_threshold": "1000000000"})
        stream.width, stream.height = 64, 48
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(numbered_image(number), format="rgb24")
            frame.pts = number + (1 if number else 0)
            frame.time_base = Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    times = [t for t, _ in iter_pictures(path, resize=False)]
    np.testing.assert_allclose(times, np.array([0, *range(2, 31)]) / FPS)
    # Key images are 0, 12 and 24, in slots 0, 13 and 25. Goal 27 looks for a key image up to slot 11
    # and counts from image 0; goal 29 looks up to slot 13 and counts from image 12 as number 13.
    assert index_after_jump(path, 27 / FPS) == 27
    assert index_after_jump(path, 29 / FPS) == 28


def test_jump_without_empty_slots_finds_the_image_itself(video):
    for wanted in (0, 1, 7, 40, 90):
        assert index_after_jump(video, wanted / FPS) == wanted


def test_jump_needs_pictures(tmp_path, stereo):
    with pytest.raises(DataError, match="expected moving pictures"):
        index_after_jump(wav(tmp_path / "sound.wav", stereo), 1.0)


# --- sound --------------------------------------------------------------------------------------


def test_sound_is_the_mean_of_both_channels(tmp_path, stereo):
    sound = read_sound(wav(tmp_path / "stereo.wav", stereo))
    assert sound.dtype == np.int16
    np.testing.assert_array_equal(sound, stereo.astype(int).mean(axis=1))


@pytest.mark.parametrize(
    ("start_s", "stop_s"), [(0.0, None), (0.25, None), (0.1, 0.3), (0.999, 5.0), (2.0, 3.0)]
)
def test_sound_starts_and_stops_on_the_sample(tmp_path, stereo, start_s, stop_s):
    path = wav(tmp_path / "stereo.wav", stereo)
    stop = None if stop_s is None else round(stop_s * 44_100)
    np.testing.assert_array_equal(
        read_sound(path, start_s, stop_s), read_sound(path)[round(start_s * 44_100) : stop]
    )


def test_blocks_are_the_whole(tmp_path, stereo):
    path = wav(tmp_path / "stereo.wav", stereo)
    blocks = list(iter_sound(path, 0.1))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), read_sound(path, 0.1))


def test_resampling_keeps_time(tmp_path):
    time_s = np.arange(48_000) / 48_000
    burst = 20_000 * np.exp(-0.5 * ((time_s - 0.5) / 1e-3) ** 2)
    sound = read_sound(
        wav(tmp_path / "burst.wav", np.repeat(burst[:, None], 2, axis=1).astype(np.int16), 48_000)
    )
    assert len(sound) == pytest.approx(44_100, abs=50)
    assert abs(int(sound.argmax()) - 22_050) <= 1


def test_a_late_sound_track_is_silent_until_then(tmp_path, stereo):
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=FPS)
        pictures.width, pictures.height = 64, 48
        sound = container.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        container.mux(pictures.encode(av.VideoFrame.from_ndarray(numbered_image(0), format="rgb24")))
        container.mux(pictures.encode())
        frame = av.AudioFrame.from_ndarray(stereo[:4410].reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.time_base, frame.pts = 44_100, Fraction(1, 44_100), 22_050
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    whole = read_sound(path)
    assert not whole[:22_050].any()
    np.testing.assert_array_equal(whole[22_050:], stereo[:4410].astype(int).mean(axis=1))
    np.testing.assert_array_equal(read_sound(path, 0.25), whole[11_025:])
    np.testing.assert_array_equal(read_sound(path, 0.0, 0.25), whole[:11_025])


# --- what a file holds --------------------------------------------------------------------------


def test_probe(tmp_path, stereo):
    path = tmp_path / "both.avi"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=25)
        pictures.width, pictures.height = 64, 48
        sound = container.add_stream("pcm_s16le", rate=48_000, layout="stereo")
        for _ in range(25):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(numbered_image(0), format="rgb24")))
        container.mux(pictures.encode())
        frame = av.AudioFrame.from_ndarray(stereo.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = 48_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    info = probe(path)
    assert (info.fps, info.width, info.height, info.sound_sfreq) == (25.0, 64, 48, 48_000.0)
    assert info.duration_s == pytest.approx(1.0, abs=0.05)
    assert info.has_sound
    assert info.has_picture


def test_sound_alone_has_no_picture(tmp_path, stereo):
    path = wav(tmp_path / "sound.wav", stereo)
    info = probe(path)
    assert (info.has_sound, info.has_picture) == (True, False)
    assert (info.fps, info.width, info.height) == (None, None, None)
    with pytest.raises(DataError, match="expected moving pictures, found none"):
        next(iter_pictures(path))


def test_pictures_alone_have_no_sound(video):
    info = probe(video)
    assert (info.has_sound, info.has_picture) == (False, True)
    assert info.sound_sfreq is None
    with pytest.raises(DataError, match="expected a sound track, found none"):
        read_sound(video)


@pytest.mark.parametrize("read", [probe, read_sound, lambda path: next(iter_pictures(path))])
@pytest.mark.parametrize("content", [None, b"", b"this is no video" * 100])
def test_a_missing_or_other_file_is_one_clear_line(tmp_path, read, content):
    path = tmp_path / "film.avi"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"film\.avi: expected a readable video or sound file, got: "
    ) as caught:
        read(path)
    assert "\n" not in str(caught.value)


# --- the reference stimuli ----------------------------------------------------------------------


@pytest.mark.parametrize(("stimulus", "video_name"), [("ASMR3.avi", "vid3"), ("nature4.avi", "vid8")])
def test_sound_is_what_ffmpeg_gives(shared_data: Path, stimulus, video_name):
    """The published MFCC (their own floor, 80 dB under the clip's maximum) from our samples."""
    librosa = pytest.importorskip("librosa")
    sound = read_sound(shared_data / "reference" / "stim" / stimulus, 5.0, 60.0)
    y = sound.astype(np.float32) / 32768
    mfcc = librosa.feature.mfcc(y=y, sr=44_100, n_mfcc=20, hop_length=4_410)[:, :550].T
    expected = np.load(shared_data / "reference" / "expected.npz")[f"X_{video_name}"][:, 512:532]
    np.testing.assert_allclose(mfcc, expected, atol=1e-3)


@pytest.fixture(scope="module")
def encode():
    """The seeded encoder that made the reference features."""
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    state = torch.random.get_rng_state()
    torch.manual_seed(1234)
    network = torchvision.models.resnet18(weights=None)
    torch.random.set_rng_state(state)
    network.fc = torch.nn.Identity()
    network.eval()
    mean, sd = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))

    def run(pictures):
        with torch.no_grad():
            images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
            return network((images - mean) / sd).numpy()

    return run


def relative_l2(ours, theirs):
    return np.linalg.norm(ours - theirs, axis=1) / np.linalg.norm(theirs, axis=1)


def test_live_rule_picks_the_published_images_at_30_fps(shared_data: Path, encode):
    """Image and tick periods divide: published frame j is the newest image at tick 50 + j."""
    expected = np.load(shared_data / "reference" / "expected.npz")["X_vid8"][:, :512]
    frames = np.array([0, 1, 2, 7, 100, 251, 400, 549])
    picked = list(iter_pictures(shared_data / "reference" / "stim" / "nature4.avi", shown_at=5 + frames / 10))
    assert relative_l2(encode([picture for _, picture in picked]), expected[frames]).max() <= 2e-3
    np.testing.assert_allclose([t for t, _ in picked], 5 + frames / 10, atol=1e-4)


def test_published_rule_counts_images_from_its_jump_at_29_97_fps(shared_data: Path, encode):
    """The published frame j is image int(j / 10 * fps) after the jump to 5 s, whatever its time."""
    path = shared_data / "reference" / "stim" / "ASMR3.avi"
    expected = np.load(shared_data / "reference" / "expected.npz")["X_vid3"][:, :512]
    frames = np.array([0, 1, 2, 7, 100, 251])
    wanted = index_after_jump(path, 5.0) + (frames / 10 * 30_000 / 1001).astype(int)
    pictures = [
        picture for number, (_, picture) in enumerate(iter_pictures(path, stop_s=31.0)) if number in wanted
    ]
    assert relative_l2(encode(pictures), expected[frames]).max() <= 2e-3


@pytest.mark.parametrize(("stimulus", "index"), [("ASMR3.avi", 150), ("nature4.avi", 149)])
def test_jump_of_the_published_pipeline(shared_data: Path, stimulus, index):
    """Both files have one empty slot; only the second has a key image between it and the goal."""
    assert index_after_jump(shared_data / "reference" / "stim" / stimulus, 5.0) == index


@pytest.mark.parametrize(
    ("codec", "suffix", "rate", "layout"),
    [
        ("pcm_s16le", ".wav", 48_000, "stereo"),
        ("aac", ".mp4", 44_100, "stereo"),
        ("pcm_s16le", ".mkv", 44_100, "mono"),  # Matroska names no layout
        ("pcm_s16le", ".mkv", 48_000, "mono"),
        ("pcm_s16le", ".mkv", 48_000, "stereo"),
    ],
)
def test_sound_is_played_in_stereo_and_described_in_mono_from_one_decode(
    tmp_path, rng, codec, suffix, rate, layout
):
    path = tmp_path / f"noise{suffix}"
    n_channels = 2 if layout == "stereo" else 1
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        noise = (rng.standard_normal((1, 2 * n_channels * rate)) * 3000).astype(np.int16)
        for lo in range(0, 2 * rate, 1024):
            samples = np.ascontiguousarray(noise[:, lo * n_channels : (lo + 1024) * n_channels])
            block = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            block.sample_rate, block.pts = rate, lo
            container.mux(stream.encode(block))
        container.mux(stream.encode())
    firsts, stereo, mono = zip(*iter_played_sound(path), strict=True)
    assert firsts[0] == 0
    np.testing.assert_array_equal(firsts, np.cumsum([0, *map(len, mono[:-1])]))
    np.testing.assert_array_equal(np.concatenate(mono), read_sound(path))
    heard = np.concatenate(stereo).astype(int)
    assert heard.shape == (len(np.concatenate(mono)), 2)
    assert (np.abs(heard[:, 0] - heard[:, 1]).max() > 1000) == (layout == "stereo")


def test_images_that_a_player_has_no_time_for_are_left_out(tiny_video):
    asked = []

    def skip(time_s: float) -> bool:
        asked.append(time_s)
        return len(asked) % 5 != 0

    given = [(time_s, image[0, 0, 0]) for time_s, image in iter_pictures(tiny_video, skip=skip)]
    np.testing.assert_allclose(asked, np.arange(50) / 25)
    assert given == [(pytest.approx(k / 25), 4 * k) for k in range(4, 50, 5)]
