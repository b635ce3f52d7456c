"""From the records of one run or several to a page and to what a paper needs.

```
reading     the folder of a run; what is missing or damaged, in sentences
families    runs that differ in nothing but their seed
spread      a number and how sure it is
outcomes    each attack on each mask      costs       bytes and seconds
answer, meaning     sentences             trouble     what went wrong
attacked_weights        which network it was
grid        the table of attacks          cost_tables those of costs
curves      the frontier as numbers       frontier, paper   drawn
examples, sentences     what was recovered
page        all of it as values, and its HTML (`page.html`)
long_form, latex        `cells.csv` and `table.tex`
writing     the files
```

Every step is a function of the one before. Numbers of different settings, models or data
are never averaged.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
