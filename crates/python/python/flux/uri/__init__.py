"""URIs of instances. Read `uri.py`."""

from flux.uri.uri import (
    URI,
    FluxURIResolver,
    JobURI,
    URIResolverPlugin,
    URIResolverURI,
    resolve_uri,
)

__all__ = [
    "URI",
    "FluxURIResolver",
    "JobURI",
    "URIResolverPlugin",
    "URIResolverURI",
    "resolve_uri",
]
