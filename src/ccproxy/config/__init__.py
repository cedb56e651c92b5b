"""The configuration: ``ccproxy.yaml``, the environment and the command line become one frozen ``Config``.

``load.load()`` is called by the edges and the CLI only; everybody else is handed the values it needs.

==================  ==================================================================================
file                what it holds
==================  ==================================================================================
``model``           ``Config``, the root of the schema; its sections are in the files beside it
``instance``        which folders belong to this configuration
``document``        YAML text → plain values, each with its line
``load``            file + environment + flags → ``Config``, all problems at once
``known``           keys that are understood and not built: they load, with a warning
``show schema``     what ``ccproxy config show`` and ``ccproxy config schema`` print
``template``        what ``ccproxy init`` writes
==================  ==================================================================================
"""
