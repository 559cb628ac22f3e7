"""The way to the servers: an HTTP client, and the proxy between, if the environment names one."""

from __future__ import annotations

import ipaddress
import urllib.request
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import httpx

from cm2.judge.engine import JudgeLoadError


def is_url(url: str) -> bool:
    """Whether a URL's host and port can be those of a server."""
    try:
        port = urlsplit(url).port
        return bool(httpx.URL(url).host) and port != 0
    except (ValueError, httpx.InvalidURL):
        return False


def client(
    urls: Sequence[str], headers: Mapping[str, str], timeout: httpx.Timeout, places: int
) -> httpx.AsyncClient:
    """A client for the servers, with so many connections at most. Raises JudgeLoadError.

    No proxy stands between a machine and itself, whatever the environment says.
    """
    near = [url for url in urls if _is_loopback(url)]
    try:
        return httpx.AsyncClient(
            headers=dict(headers),
            timeout=timeout,
            limits=httpx.Limits(max_connections=places, max_keepalive_connections=places),
            mounts={f"all://{_host(url)}": None for url in near},
            trust_env=len(near) < len(urls),
        )
    except ImportError:
        raise JudgeLoadError(
            "the environment names a SOCKS proxy, which needs a package more; "
            "`pip install 'httpx[socks]'`, or put the servers into NO_PROXY"
        ) from None
    except OSError as error:
        raise JudgeLoadError(
            f"cannot read the certificates that SSL_CERT_FILE or SSL_CERT_DIR names: {error}"
        ) from None
    except (ValueError, httpx.InvalidURL):
        raise JudgeLoadError(
            "the environment names a proxy that is none; write HTTP_PROXY, HTTPS_PROXY and "
            "ALL_PROXY as http://host:port"
        ) from None


def proxy_before(url: str) -> str | None:
    """The proxy that requests to a URL go through, without user and password; None for none."""
    if _is_loopback(url):
        return None
    parts = urlsplit(url)
    known = urllib.request.getproxies()
    proxy = known.get(parts.scheme) or known.get("all")
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return None
    scheme, _, rest = proxy.rpartition("://")
    return f"{scheme or 'http'}://{rest.rpartition('@')[2]}"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _host(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return f"[{host}]" if ":" in host else host
