"""Waves, their spectra and mel bands, as the networks for speech read them."""

from __future__ import annotations

import io
import wave

import numpy as np

RATE = 16_000  # samples a second, of every network here
LEVEL = 10 ** (-26 / 20)  # root mean square: the level at which speech is measured
FLOOR = 1e-10  # power that counts as silence


def read_wave(content: bytes) -> tuple[np.ndarray, int]:
    """Samples in -1 .. 1 of a WAV file of one channel and 16 bits, and how many make a second.

    Raises
    ------
    ValueError
        The file has other samples.
    """
    with wave.open(io.BytesIO(content)) as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ValueError(
                f"a wave has {file.getnchannels()} channels of {file.getsampwidth()} bytes, wanted "
                "1 of 2"
            )
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.astype(np.float32) / 2**15, file.getframerate()


def prepared(samples: np.ndarray, rate: int) -> np.ndarray:
    """The wave at RATE and LEVEL, so that no network can go by how loud a recording is."""
    from scipy.signal import resample_poly

    common = np.gcd(rate, RATE)
    samples = resample_poly(samples, RATE // common, rate // common)
    scale = LEVEL / np.sqrt(np.mean(samples**2))
    return np.clip(samples * scale, -1, 1).astype(np.float32)


def windows(rows: np.ndarray, length: int, step: int) -> np.ndarray:
    """Whole windows along the first axis: (count, length, ...)."""
    count = (len(rows) - length) // step + 1
    return np.stack([rows[i * step : i * step + length] for i in range(count)])


def spectrogram(samples: np.ndarray, length: int = 400, step: int = 160) -> np.ndarray:
    """Powers (frames, 1 + length // 2), by Hann windows centred on multiples of `step`."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    frames = windows(np.pad(samples, length // 2), length, step)
    return np.abs(np.fft.rfft(frames * hann)) ** 2


def mel_filters(length: int, bands: int) -> np.ndarray:
    """Triangles (1 + length // 2, bands) of area 1, evenly spaced on Slaney's mel scale.

    The scale is linear below 1 kHz, 200/3 Hz a mel, and logarithmic above, 27 mels for 6.4 times.
    """
    top = _mel(np.array(RATE / 2))
    edges = _hertz(np.linspace(0, top, bands + 2))
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    hertz = np.fft.rfftfreq(length, 1 / RATE)[:, None]
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


def _mel(hertz: np.ndarray) -> np.ndarray:
    above = 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4)
    return np.where(hertz < 1000, hertz * 3 / 200, above)


def _hertz(mel: np.ndarray) -> np.ndarray:
    above = 1000 * np.exp((np.maximum(mel, 15) - 15) / 27 * np.log(6.4))
    return np.where(mel < 15, mel * 200 / 3, above)


def mel_bands(samples: np.ndarray, bands: int, length: int = 400, step: int = 160) -> np.ndarray:
    """Powers (frames, bands)."""
    return spectrogram(samples, length, step) @ mel_filters(length, bands)


def decibels(powers: np.ndarray) -> np.ndarray:
    """10 log10 of powers, at least FLOOR."""
    return 10 * np.log10(np.maximum(powers, FLOOR))
