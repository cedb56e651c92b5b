"""The built-in hooks, one a file. This table is their whole surface; a test holds it to the code.

==================  ========  ==================================================================================
hook                stage     what it does
==================  ========  ==================================================================================
inject_auth         inbound   finds and removes the sentinel key, names its provider (cannot be switched off)
extract_session_id  inbound   finds the session that the client says it is in
verbose_mode        outbound  asks Anthropic not to redact thinking
commitbee_compat    outbound  asks for bare JSON where commitbee wants it (params: signature, instruction)
==================  ========  ==================================================================================

A new hook is a file here, a row above, and its name in ``config.hooks.BUILT``. Your own need no place here: name their
module in ``hooks.inbound`` or ``hooks.outbound`` (``pipeline.hook`` shows one).
"""
