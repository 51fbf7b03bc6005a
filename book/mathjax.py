"""MathJax beside the pages, so that formulas need no network."""

import npm

SCRIPT = "tex-mml-chtml.js"
PACKAGE = npm.Package(
    name="mathjax",
    version="3.2.2",
    integrity="Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
    root="es5/",
    # The script finds its fonts by their place below its own.
    parts=(SCRIPT, "output/chtml/fonts/woff-v2/"),
)
fetch, unpack = PACKAGE.fetch, PACKAGE.unpack
