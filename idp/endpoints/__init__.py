"""The protocol endpoints: plain functions from request to response, in front of Flask."""
