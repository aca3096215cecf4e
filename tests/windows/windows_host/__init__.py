"""Simulated Windows hosts: a WinRM server that real Ansible talks to, answered by Python models. See README.md."""
