"""Broken and hostile inputs by the thousand, for each place where vocalsep takes what others made.

A harness is a class that is opened with a folder, where it keeps its seeds, and whose `attempt` makes one input from a
random generator and gives it to vocalsep. `watch` runs harnesses in a process that may hang, swell or crash.
"""
