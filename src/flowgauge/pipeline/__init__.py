"""The pipeline: from records to a run, the one place where the layers are joined."""

from flowgauge.pipeline.generated import save_generated as save_generated
from flowgauge.pipeline.lensing import LeaveOut as LeaveOut
from flowgauge.pipeline.lensing import document_ablation as document_ablation
from flowgauge.pipeline.lensing import lens_against_ablation as lens_against_ablation
from flowgauge.pipeline.lensing import lens_of as lens_of
from flowgauge.pipeline.measuring import measure as measure
from flowgauge.pipeline.settings import Settings as Settings
from flowgauge.pipeline.supported import Support as Support
from flowgauge.pipeline.supported import support as support
from flowgauge.pipeline.unmasking import OrdersVerdict as OrdersVerdict
from flowgauge.pipeline.unmasking import UnmaskingFlow as UnmaskingFlow
from flowgauge.pipeline.unmasking import decide_over_orders as decide_over_orders
from flowgauge.pipeline.unmasking import flow_of as flow_of
from flowgauge.pipeline.unmasking import response_elbo as response_elbo
from flowgauge.pipeline.unmasking import unmasking_flow as unmasking_flow

__all__ = [
    "LeaveOut",
    "OrdersVerdict",
    "Settings",
    "Support",
    "UnmaskingFlow",
    "decide_over_orders",
    "document_ablation",
    "flow_of",
    "lens_against_ablation",
    "lens_of",
    "measure",
    "response_elbo",
    "save_generated",
    "support",
    "unmasking_flow",
]
