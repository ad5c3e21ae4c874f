"""Text: what the model reads (composition), which characters a token covers, sentences, readers.

Knows tokenizers only through a small protocol; imports no model and no torch.
"""

from flowgauge.text.align import Encoding as Encoding
from flowgauge.text.align import TextTokenizer as TextTokenizer
from flowgauge.text.align import align as align
from flowgauge.text.align import align_prefixes as align_prefixes
from flowgauge.text.check import check_record as check_record
from flowgauge.text.compose import ChatTemplate as ChatTemplate
from flowgauge.text.compose import Composition as Composition
from flowgauge.text.compose import Omit as Omit
from flowgauge.text.compose import PlainTemplate as PlainTemplate
from flowgauge.text.compose import Reference as Reference
from flowgauge.text.compose import Template as Template
from flowgauge.text.compose import default_template as default_template
from flowgauge.text.compose import source_key as source_key
from flowgauge.text.compose import source_of as source_of
from flowgauge.text.compose import truncate_documents as truncate_documents
from flowgauge.text.compose import with_source_of as with_source_of
from flowgauge.text.read import parse_record as parse_record
from flowgauge.text.read import read_records as read_records
from flowgauge.text.read import refused as refused
from flowgauge.text.sentences import sentence_spans as sentence_spans

__all__ = [
    "ChatTemplate",
    "Composition",
    "Encoding",
    "Omit",
    "PlainTemplate",
    "Reference",
    "Template",
    "TextTokenizer",
    "align",
    "align_prefixes",
    "check_record",
    "default_template",
    "parse_record",
    "read_records",
    "refused",
    "sentence_spans",
    "source_key",
    "source_of",
    "truncate_documents",
    "with_source_of",
]
