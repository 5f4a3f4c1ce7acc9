"""The statistics: pure functions, arrays in and `Estimate` out.

    estimate    the one result type
    binomial    proportions: Wilson and Clopper-Pearson
    table       agreement functionals of a k x k table      scores      functionals of a table of graded levels
    clusters    items that belong together                  intervals   which interval for which table
    agreement   the door for levels                         numeric     the door for continuous scores
    homogeneity does the judge use the levels as often as the humans
    raters      the door for several human raters: `reliability` (alpha, Fleiss, ICC, pairwise kappa),
                `ceiling` (how well one human agrees with the others), `alt_test` (may the judge replace one)
    groups      pair accuracy inside a prompt               dominance   pair counts in O(n log n)
    plan        how many labels are still needed

Nothing is imported here: whoever needs only `Estimate` does not pay for scipy.
"""
