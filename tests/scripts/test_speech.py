"""Waves out of packages, and what the networks for speech are given of them."""

import io
import tarfile
import wave

import numpy as np
import pytest

hypothesis = pytest.importorskip("hypothesis")
pytest.importorskip("scipy")
from encoders import sounds, speech, speech_samples
from encoders.packages import Packages
from hypothesis import given
from hypothesis import strategies as st

from eigentropy.studies.pretrained_networks.speech import DOMAIN, SOUNDS
from messages import naming


def tone(hertz, seconds=1.0, rate=sounds.RATE):
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def wav(samples, rate=8000, channels=1):
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 2**15).astype("<i2").tobytes())
    return content.getvalue()


def test_every_network_has_an_encoder_and_every_data_set_a_reader():
    assert list(speech.ENCODERS) == [network.name for network in DOMAIN.networks]
    assert list(speech.DATA) == [data.name for data in DOMAIN.data]


def test_a_wave_is_read_as_it_was_written():
    samples = np.array([0, 0.5, -1, 0.25])
    found, rate = sounds.read_wave(wav(samples, rate=8000))
    assert rate == 8000
    assert found.tolist() == samples.tolist()


def test_a_wave_of_two_channels_is_refused():
    with pytest.raises(ValueError, match=naming("channels", 2, 1)):
        sounds.read_wave(wav(np.zeros(4), channels=2))


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000])
@pytest.mark.parametrize("loudness", [0.01, 0.9])
def test_prepared_waves_keep_their_pitch_and_have_one_loudness(rate, loudness):
    found = sounds.prepared(loudness * tone(440, rate=rate), rate)
    assert len(found) == sounds.RATE
    assert np.sqrt(np.mean(found**2)) == pytest.approx(10 ** (-26 / 20), rel=1e-3)
    assert np.abs(np.fft.rfft(found)).argmax() == 440


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 30))
def test_windows_are_all_whole_ones(length, step, more):
    rows = np.arange(2 * (length + more)).reshape(-1, 2)
    expected = np.lib.stride_tricks.sliding_window_view(rows, length, axis=0)[::step]
    assert np.array_equal(sounds.windows(rows, length, step), expected.swapaxes(1, 2))


def test_a_tone_is_a_line_of_its_spectrogram():
    powers = sounds.spectrogram(tone(1000))
    assert powers.shape == (101, 201)
    assert (powers[2:-2].argmax(1) == 25).all()  # 1000 Hz are 25 of 40 Hz
    assert powers[50, 25] == pytest.approx((400 / 4) ** 2)  # half of the sum of the window, squared


def test_slaney_scale_is_linear_to_a_thousand_hertz_and_logarithmic_above():
    # 0 to 15 mels in steps of 200/3 Hz; 27 mels further is 6.4 times as high.
    hertz = np.array([0, 200, 1000, 6400])
    assert sounds._mel(hertz) == pytest.approx([0, 3, 15, 42])
    assert sounds._hertz(sounds._mel(hertz)) == pytest.approx(hertz)


@pytest.mark.parametrize(("length", "bands"), [(400, 40), (4000, 40), (4000, 120)])
def test_mel_filters_have_area_one_where_frequencies_are_dense(length, bands):
    filters = sounds.mel_filters(length, bands)
    assert filters.shape == (1 + length // 2, bands)
    assert (filters >= 0).all()
    areas = filters.sum(0) * sounds.RATE / length
    assert areas == pytest.approx(np.ones(bands), rel=0.25 if length == 400 else 0.02)
    assert (np.diff(filters.argmax(0)) > 0).all()


def test_silence_has_finite_decibels():
    assert sounds.decibels(np.array([0.0, 1.0, 100.0])).tolist() == [-100, 0, 20]


@given(st.integers(1, 3000))
def test_frames_have_the_samples_before_them(count):
    samples = np.arange(1, count + 1, dtype=np.float32)
    frames = speech.framed(samples)
    assert frames.shape == (-(-count // 512), 576)
    assert np.array_equal(frames[:, 64:].ravel()[:count], samples)
    assert not frames[:, 64:].ravel()[count:].any()
    assert not frames[0, :64].any()
    assert np.array_equal(frames[1:, :64], frames[:-1, -64:])


@pytest.mark.parametrize(
    ("seconds", "parts"),
    [
        (0.5, 1),  # shorter than an utterance: filled with zeros
        (1.6, 1),
        (1.9, 1),  # 113 of 160 frames are left for a second, less than three quarters
        (2.0, 2),  # 123 frames
        (3.2, 3),
    ],
)
def test_utterances_cover_a_wave_but_for_a_short_rest(seconds, parts):
    found = speech.utterances(tone(300, seconds).astype(np.float32))
    assert found.shape == (parts, 160, 40)
    assert found.dtype == np.float32
    assert all(part.any() for part in found)


def test_a_control_measures_each_wave_alone():
    packages = Packages(None)
    one, two = tone(300), tone(3000, 1.5)
    for name in ("log-mel", "spectrum"):
        run = speech.ENCODERS[name](packages)
        both = run([one, two])[""]
        assert np.array_equal(both[1:], run([two])[""])
    assert both.argmax(1).tolist() == [7, 75]  # lines of 40 Hz


def archive(folder, language, files):
    home = folder / SOUNDS[language].replace(":", "-")
    home.mkdir()
    with tarfile.open(home / "made.tar", "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./usr/share/{name}.wav")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_prompts_are_spoken_ones_of_one_language(tmp_path):
    beep = wav(tone(900, 2, 8000))  # the same in both
    own = {"en": [200, 300, 400], "es": [500, 600, 700]}
    for language, pitches in own.items():
        files = {f"{hertz}": wav(tone(hertz, 2, 8000) / 2) for hertz in pitches}
        files |= {
            "beep": beep,
            "short": wav(tone(1000, 0.5, 8000)),
            "long": wav(np.ones(80_000) / 3),
        }
        archive(tmp_path, language, files | {"silence/2": wav(tone(3000, 2, 8000) / 3)})
    waves, labels = speech_samples.english_spanish(Packages(tmp_path), 6)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    found = [int(np.abs(np.fft.rfft(each)).argmax() / 2) for each in waves]
    assert found == own["en"] + own["es"]
