"""Requests, exchanges and procedures: what XCP and CCP share."""
