"""How the networks that read speech are built from their packages.

Which there are, with package, version, licence and layers, stands in
`eigentropy.studies.pretrained_networks.speech`; here are the functions of the same names. Where the
speech comes from is in `speech_samples`. A sample is a wave in -1 .. 1, 16 000 numbers a second.
No code of a package runs.
"""

from __future__ import annotations

import functools
import io

import numpy as np

from eigentropy.studies.pretrained_networks.speech import (
    OPENWAKEWORD,
    RESEMBLYZER,
    SILERO,
    SPEECHMOS,
)
from encoders import speech_samples
from encoders.frame import Features, Load, Run, Samples, each
from encoders.onnx_graph import Graph
from encoders.packages import Packages
from encoders.sounds import decibels, mel_bands, spectrogram, windows

UTTERANCE, STRIDE = 160, 77  # frames of 10 ms that resemblyzer reads at once, and between starts
COVERED = 0.75  # of the last utterance, which is left out where it has less


def utterances(wave: np.ndarray) -> np.ndarray:
    """Mel bands of overlapping parts of a wave, (parts, UTTERANCE, 40)."""
    frames = -(-(len(wave) + 1) // 160)
    starts = np.arange(0, max(1, frames - UTTERANCE + STRIDE + 1), STRIDE)
    if len(starts) > 1 and len(wave) / 160 - starts[-1] < COVERED * UTTERANCE:
        starts = starts[:-1]
    end = (starts[-1] + UTTERANCE) * 160
    bands = mel_bands(np.pad(wave, (0, max(0, end - len(wave)))), 40)
    return windows(bands[: starts[-1] + UTTERANCE], UTTERANCE, STRIDE).astype(np.float32)


def resemblyzer(packages: Packages, trained: bool = True) -> Run:
    """The last states of three LSTM, a dense layer, rectified; means over the parts of a wave."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    lstm, linear = torch.nn.LSTM(40, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
    if trained:
        content = io.BytesIO(packages.read(RESEMBLYZER, "*/pretrained.pt"))
        state = torch.load(content, map_location="cpu", weights_only=True)["model_state"]
        for name, part in (("lstm.", lstm), ("linear.", linear)):
            own = {k.removeprefix(name): v for k, v in state.items() if k.startswith(name)}
            part.load_state_dict(own)

    def encode(wave: np.ndarray) -> Features:
        with torch.no_grad():
            _, (states, _) = lstm(torch.from_numpy(utterances(wave)))
            outputs = torch.nn.functional.normalize(torch.relu(linear(states[-1])))
        inner = {f"lstm {i}": state.mean(0).numpy() for i, state in enumerate(states, 1)}
        output = outputs.mean(0)
        return inner | {"": (output / output.norm()).numpy()}

    return each(encode)


def speech_embedding(packages: Packages) -> Run:
    """Means over windows of 76 frames; inner layers are means over times and bands as well."""
    bands = Graph(packages.read(OPENWAKEWORD, "*/melspectrogram.onnx"), {"": "output"})
    pools = {"pool 1": "model/max_pooling2d/MaxPool:0"}
    pools |= {f"pool {i + 1}": f"model/max_pooling2d_{i}/MaxPool:0" for i in (1, 2, 3)}
    graph = Graph(packages.read(OPENWAKEWORD, "*/embedding_model.onnx"), pools | {"": "conv2d_19"})

    def encode(wave: np.ndarray) -> Features:
        mel = bands(input=wave[None] * 2**15)[""].squeeze() / 10 + 2
        found = graph(input_1=windows(mel, 76, 8)[..., None])
        inner = {layer: found[layer].mean((0, 2, 3)) for layer in pools}
        return inner | {"": found[""].mean(0).ravel()}

    return each(encode)


FRAME, CONTEXT = 512, 64  # samples that silero-vad reads at once, and those before them


def framed(wave: np.ndarray) -> np.ndarray:
    """Frames of a wave with the samples before each, (frames, CONTEXT + FRAME), zeros outside."""
    count = -(-len(wave) // FRAME)
    padded = np.pad(wave, (CONTEXT, count * FRAME - len(wave)))
    return windows(padded, CONTEXT + FRAME, FRAME)


def silero_vad(packages: Packages) -> Run:
    """The state of the LSTM after the last frame; means over frames of what comes before."""
    inner = {"encoder 1": "/Relu_output_0"}
    inner |= {f"encoder {i + 1}": f"/Relu_{i}_output_0" for i in (1, 2, 3)}
    states = {"hidden": "hn", "cell": "cn", "lstm": "/recurrent/LSTM_output_0"}
    content = packages.read(SILERO, "*/silero_vad_16k_sequence.onnx")
    graph, empty = Graph(content, inner | states), np.zeros((1, 1, 128), np.float32)

    def encode(wave: np.ndarray) -> Features:
        found = graph(input=framed(wave), h=empty, c=empty)
        means = {layer: found[layer].mean((0, 2)) for layer in inner}
        last = np.concatenate([found["hidden"].ravel(), found["cell"].ravel()])
        return means | {"lstm": found["lstm"].reshape(-1, 128).mean(0), "": last}

    return each(encode)


MOS_SAMPLES = 144_160  # 9.01 seconds, the length that the networks of speechmos read


def dnsmos(packages: Packages, folder: str = "dnsmos_models") -> Run:
    """The layer before the ratings, on a wave that is repeated up to 9 seconds."""
    prefix = "mos_estimator_logpow"
    layers = {
        "pool": f"{prefix}/global_max_pooling2d/Max:0",
        "dense 1": f"{prefix}/dense/Relu:0",
        "": f"{prefix}/dense_1/Relu:0",
    }
    graph = Graph(packages.read(SPEECHMOS, f"*/{folder}/sig_bak_ovr.onnx"), layers)
    return lambda waves: graph(input_1=np.stack([np.resize(w, MOS_SAMPLES) for w in waves]))


def dnsmos_p808(packages: Packages) -> Run:
    """The same for the network that reads mel bands, in decibels below the loudest."""
    prefix = "mos_estimator_small_1"
    layers = {
        "pool": f"{prefix}/global_max_pooling2d_1/Max:0",
        "dense 1": f"{prefix}/dense_3/Relu:0",
        "": f"{prefix}/dense_4/Relu:0",
    }
    graph = Graph(packages.read(SPEECHMOS, "*/dnsmos_models/model_v8.onnx"), layers)

    def bands(wave: np.ndarray) -> np.ndarray:
        loud = decibels(mel_bands(np.resize(wave, MOS_SAMPLES)[:-160], 120, length=321))
        return (np.maximum(loud - loud.max(), -80) + 40).astype(np.float32) / 40

    return lambda waves: graph(input_1=np.stack([bands(wave) for wave in waves]))


def log_mel(packages: Packages) -> Run:
    """A control without a network: mean and standard deviation of mel bands over time."""

    def encode(wave: np.ndarray) -> Features:
        loud = decibels(mel_bands(wave, 40))
        return {"": np.concatenate([loud.mean(0), loud.std(0)])}

    return each(encode)


def spectrum(packages: Packages) -> Run:
    """A control without a network: the mean magnitudes below 4 kHz, above which is nothing."""
    return each(lambda wave: {"": np.sqrt(spectrogram(wave))[:, :101].mean(0)})


ENCODERS: dict[str, Load] = {
    "resemblyzer": resemblyzer,
    "speech-embedding": speech_embedding,
    "silero-vad": silero_vad,
    "dnsmos": dnsmos,
    "dnsmos-personalised": functools.partial(dnsmos, folder="pdnsmos_models"),
    "dnsmos-p808": dnsmos_p808,
    "log-mel": log_mel,
    "spectrum": spectrum,
    "resemblyzer-untrained": functools.partial(resemblyzer, trained=False),
}

DATA: dict[str, Samples] = {
    "languages": speech_samples.languages,
    "english-spanish": speech_samples.english_spanish,
}
