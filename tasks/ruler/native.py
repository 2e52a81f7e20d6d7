"""Needles in the scripts and digits of India: the same sentences as RULER's, said as the language says them. Written for evalkit."""

from __future__ import annotations

from collections.abc import Mapping

NATIVE: Mapping[str, Mapping[str, str]] = {}
