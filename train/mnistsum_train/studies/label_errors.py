"""MNIST test pictures whose label people doubt, from a published study; nothing is trained or chosen by them.

Northcutt, Athalye and Mueller, "Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks", 2021:
what confident learning suspected was shown to five people each, who chose between the label, the network's guess, both
and neither. The votes are in github.com/cleanlab/label-errors, mturk/mnist_mturk.json (commit 5457895).
"""

DOUBTED = {
    947: 0,
    1621: 2,
    1901: 2,
    2130: 2,
    2462: 0,
    2597: 0,
    2654: 0,
    3520: 2,
    3558: 1,
    5937: 1,
    6651: 0,
    6783: 2,
    8527: 2,
    9679: 2,
    9729: 2,
}
"""Index in the test set -> how many of the five people chose its label: those for which fewer than three did. The study
counts the same 15."""
