"""The embedded provider: it says back what was said, in all four wire formats, with no account and no network.

It is for a first try after the installation, for demonstrations and for tests. It is deterministic: the same request
gives the same bytes, ids and times included. What the last user text begins with decides what it does:

====================  =====================================================================================
``call NAME …``       call each of these tools (those that the request declares), arguments made from the schema;
                      a forced ``tool_choice`` does the same
``error NNN``         answer with this HTTP status in the dialect's own error shape (429, 503, 529: ``retry-after``)
``slow N``            pause N seconds before each event (or before a whole answer); another command may follow
anything else         say the text back
====================  =====================================================================================

After a tool result it says what the result was. Thinking comes when the request enables it, JSON made from the schema
when the request asks for structured output. Tokens are counted by one rule in all formats (``tokens.py``).

``app.py`` is the ASGI application, ``serve.py`` puts it on a private loopback socket. The wire formats are those of
``lightllm``: ``request.read`` makes an Ask of a body, ``reply.compose`` a Reply of an Ask, ``answer`` writes the Reply.
"""
