"""Tests how well a model calls tools on a host, and keeps the result on a fitness card; measures how fast it is, and keeps the figures."""
