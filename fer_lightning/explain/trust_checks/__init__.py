"""Whether a saliency method's picture shows what the network does."""

from fer_lightning.explain.trust_checks.check import check_trust, count_classes, methods_for
from fer_lightning.explain.trust_checks.insertion import InsertionDeletion, insertion_deletion
from fer_lightning.explain.trust_checks.trust_report import MethodTrust, TrustReport
from fer_lightning.explain.trust_checks.trust_rules import TrustRules

__all__ = [
    "InsertionDeletion",
    "MethodTrust",
    "TrustReport",
    "TrustRules",
    "check_trust",
    "count_classes",
    "insertion_deletion",
    "methods_for",
]
