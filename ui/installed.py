"""The page as an app of its own: what a browser needs to know to install it.

Its service worker keeps nothing: it only says in words when the lab does not run.
"""

import json

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ui.static import WEB, address

MANIFEST = "/manifest.json"
WORKER = "/lab-worker.js"
ICON = WEB / "icons" / "icon-192.png"

_ICONS = (
    ("icon-192.png", 192, "any"),
    ("icon-512.png", 512, "any"),
    ("mask-512.png", 512, "maskable"),
)


def head() -> str:
    """Tags for the document's head."""
    icon = address("icons/icon-192.png")
    return "\n".join(
        [
            "",
            f'<link rel="apple-touch-icon" href="{icon}">',
            '<meta name="theme-color" content="#f7f7f5" media="(prefers-color-scheme: light)">',
            '<meta name="theme-color" content="#1a1d22" media="(prefers-color-scheme: dark)">',
        ]
    )


def routes() -> list[Route]:
    """Serve the manifest, where Gradio's page looks for it, and the service worker."""
    return [Route(MANIFEST, _manifest), Route(WORKER, _worker)]


def _manifest(request: Request) -> Response:
    content = {
        "id": "/",
        "name": "lab",
        "short_name": "lab",
        "description": "A local lab for process-reward guided tree search over reasoning steps.",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#fdfdfc",
        "theme_color": "#f7f7f5",
        "icons": [
            {
                "src": address(f"icons/{name}"),
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": purpose,
            }
            for name, size, purpose in _ICONS
        ],
    }
    return Response(json.dumps(content), media_type="application/manifest+json")


def _worker(request: Request) -> Response:
    headers = {"Service-Worker-Allowed": "/", "Cache-Control": "no-cache"}
    return FileResponse(WEB / "worker.js", media_type="text/javascript", headers=headers)
