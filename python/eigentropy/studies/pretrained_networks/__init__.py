"""The networks and data sets of the study `pretrained`, one module a domain."""

from __future__ import annotations

from eigentropy.studies.pretrained_networks import images, speech, texts
from eigentropy.studies.pretrained_networks.network import Domain

DOMAINS: dict[str, Domain] = {
    module.DOMAIN.name: module.DOMAIN for module in (images, texts, speech)
}
