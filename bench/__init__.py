"""outgrow beside its peers.  `python -m bench.NAME`; the last line of each is one JSON object of figures."""
