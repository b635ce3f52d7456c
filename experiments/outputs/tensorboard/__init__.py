"""TensorBoard event files, derived from the records of a run.

```
tb/cells/<cell>/                    scalars by round, and an HParams trial
tb/report/                          pictures, figures and texts
```

To TensorBoard a folder is a "run" with one colour. It shows the path as the run's name
in a narrow column, and begins with all runs switched off once there are more than 40:
hence few folders, and names that hold only what differs.

Every writer starts its own event files anew and writes all that the records hold, so a
run that is resumed shows each point once, also in a TensorBoard that is already open.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
