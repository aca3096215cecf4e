"""Look at PowerShell without PowerShell: what can be said of a .ps1 or .psm1 by reading it.

Nothing here runs a script, so nothing here proves that one works: it proves that one is PowerShell 5.1, that every
command, parameter and type exists on the oldest systems that are served, and that a module takes what it documents.

``python -m powershell`` (``make powershell``) looks at all of the project's files, or at those that it is given.
"""
