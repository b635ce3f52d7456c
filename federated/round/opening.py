"""The two ways in which clients open the sum that the upload phase left."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated.round import announcement, client, server, wiring
from federated.round.announcement import Announcement
from federated.round.collecting import Rules
from federated.round.upload_phase import Uploaded
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.per_client import PerClientCipher, PerClientKeys


class CohortBroadcast(NamedTuple):
    """The sorted nonces of the clients in the sum, int64 [k]."""

    cohort: Any


class SumBroadcast(NamedTuple):
    """The encrypted sum that clients open for themselves: what a blind server sends."""

    visible_sum: Any
    ciphertext: Any
    cohort: Any


def check_shared(
    what: str, keys: KeySet | PerClientKeys, engine: engine_lib.Engine
) -> None:
    """Checks, where a round is built, that its clients share a key.

    Args:
      what: Which round it is, in words.
      keys: What was given.
      engine: Likewise.

    Raises:
      ValueError: If they do not.
    """
    own = isinstance(engine.cipher, PerClientCipher)
    if own or isinstance(keys, PerClientKeys):
        raise ValueError(
            f"{what} needs a key that clients share: the sum of secrets of their own "
            "ends at the server, and no client could open. Take a `KeySet` and "
            "`catalog.cipher`."
        )


def in_shares(uploaded: Uploaded, rules: Rules, min_clients: int) -> tff.Value:
    """Clients open a share each, for the server: together they decrypt once.

    ```
    SERVER                                  | CLIENTS
    sorted nonces of who is in the sum -----|-> rank (or refusal: too few clients)
    a share of the sum for each rank <------|-- rank
                                   ---------|-> share -> judge, decrypt
    the shares, joined <--------------------|-- OpenedShare
    ```

    Args:
      uploaded: What the upload phase left.
      rules: As there.
      min_clients: The smallest cohort whose sum clients are willing to open.

    Returns:
      The sums of codes, of `client.sum_dtype`, at the server.
    """

    def tell(total: server.CipherSum) -> Any:
        return CohortBroadcast(total.cohort), tf.size(total.cohort) + 1

    def find_rank(nonce: tf.Tensor, sent: CohortBroadcast) -> tf.Tensor:
        return client.find_rank(nonce, sent.cohort, min_clients)

    def only(shares: tf.data.Dataset) -> tf.Tensor:
        return shares.get_single_element()

    def open_share(
        key_check: tf.Tensor,
        share: Any,
        rank: tf.Tensor,
        sent: CohortBroadcast,
        announced: Announcement,
    ) -> client.OpenedShare:
        return client.open_share(
            announcement.read_key(announced, rules),
            share,
            rank,
            sent.cohort,
            announcement.terms_of(announced, rules, key_check).context,
            rules.engine,
        )

    cohort, size = wiring.apply(tell, uploaded.total)
    sent = tff.federated_broadcast(cohort)
    rank = wiring.apply(find_rank, uploaded.nonce, sent)
    pick_share = tff.tensorflow.computation(
        server.pick_share, uploaded.total.type_signature.member, np.int32
    )
    share = tff.federated_select(rank, size, uploaded.total, pick_share)
    opened = wiring.apply(
        open_share,
        uploaded.key_check,
        # By a computation of its own: no data set comes where a key is read.
        wiring.apply(only, share),
        rank,
        sent,
        uploaded.told,
    )
    came = wiring.aggregate(
        opened,
        server.no_shares,
        server.collect_share,
        server.join_shares,
    )

    def join(total: server.CipherSum, came: client.OpenedShare) -> tf.Tensor:
        return server.join_codes(total, came, rules.engine)

    return wiring.apply(join, uploaded.total, came)


def by_everyone(
    uploaded: Uploaded,
    rules: Rules,
    min_clients: int,
    use: Callable[[client.OpenedVector, tf.Tensor], Any],
) -> tff.Value:
    """Every client opens the whole sum, for its own use; the server stays blind.

    Args:
      uploaded: What the upload phase left.
      rules: As there.
      min_clients: The smallest cohort whose sum clients are willing to open.
      use: What a client makes of the sum, and of k, int32.

    Returns:
      What `use` returned, at each client.
    """

    def tell(total: server.CipherSum) -> SumBroadcast:
        return SumBroadcast(total.visible_sum, total.ciphertext, total.cohort)

    def open_sum(
        key_check: tf.Tensor,
        nonce: tf.Tensor,
        sent: SumBroadcast,
        announced: Announcement,
    ) -> Any:
        secret_key = announcement.read_key(announced, rules)
        clients = tf.size(sent.cohort)
        rank = client.find_rank(nonce, sent.cohort, min_clients)
        with tf.control_dependencies([rank]):
            opened = client.open_all(
                secret_key,
                sent.visible_sum,
                sent.ciphertext,
                clients,
                *announcement.terms_of(announced, rules, key_check),
                rules.engine,
            )
        return use(opened, clients)

    sent = tff.federated_broadcast(wiring.apply(tell, uploaded.total))
    return wiring.apply(
        open_sum,
        uploaded.key_check,
        uploaded.nonce,
        sent,
        uploaded.told,
    )
