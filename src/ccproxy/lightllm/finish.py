"""Why a model stopped, in one vocabulary for all dialects.

======================  ===========================================================================================
``stop``                it had said everything
``stop_sequence``       it met a stop sequence of the request
``length``              the request's limit of tokens, or the model's, was reached
``context``             the context window was full
``tool``                it calls tools and waits for their results
``filtered``            a filter of the provider's cut it off, or kept the answer back
``refused``             the model or its safeguards declined
``paused``              a long turn was interrupted; send the answer back to go on
``other``               a reason that is not known here
======================  ===========================================================================================

Each dialect has two tables in its ``response.py``: its words to these, and these to its words.
"""

from __future__ import annotations

from typing import Literal

type Reason = Literal["stop", "stop_sequence", "length", "context", "tool", "filtered", "refused", "paused", "other"]
