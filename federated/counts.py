"""Counts that TFF's clipping and zeroing send in the clear, left unsent.

tff.aggregators.clipping_factory(
    1.0, aggregator, clipped_count_sum_factory=federated.uncounted())

Both count how many clients they changed, and for that each client tells the server
whether it was one of them: a bit of what its update is, whatever is encrypted.
"""

from typing import Any

import tensorflow_federated as tff


def uncounted() -> tff.aggregators.UnweightedAggregationFactory:
    """What `clipped_count_sum_factory=` and `zeroed_count_sum_factory=` take.

    Returns:
      A factory of sums for which nothing is sent. They are 0 whatever the values are:
      the measurement says nothing.
    """
    return _Uncounted()


class _Uncounted(tff.aggregators.UnweightedAggregationFactory):
    def create(self, value_type: tff.Type) -> tff.templates.AggregationProcess:
        zero = value_type.dtype.type(0)

        @tff.federated_computation
        def init_fn() -> Any:
            return tff.federated_value((), tff.SERVER)

        @tff.federated_computation(
            init_fn.type_signature.result, tff.FederatedType(value_type, tff.CLIENTS)
        )
        def next_fn(state: Any, values: Any) -> Any:
            del values
            return tff.templates.MeasuredProcessOutput(
                state,
                tff.federated_value(zero, tff.SERVER),
                tff.federated_value((), tff.SERVER),
            )

        return tff.templates.AggregationProcess(init_fn, next_fn)
