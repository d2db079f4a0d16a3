"""Serves models over HTTP: thin routes over the one engine.

from scopezoo.serving.app import create_app
"""
