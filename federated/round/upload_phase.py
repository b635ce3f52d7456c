"""The phase that every encrypted round begins with: clients upload, the server adds.

```
Keras model --functional--> client gradient g[n] --> significance scores --> mask[n]
   weights, batch                |                                             |
                                 +-- visible part g[~mask], float32 -----------+-> Upload
                                 +-- hidden part g[mask] -> codes -> encrypt --+
 ========= server boundary: the tap sits here, on every value ====> ServerView ----> attacks
     server      sum of the visible parts, sum of the ciphertexts
     clients     decrypt the sum -> decode -> merge                      (`opening.py`)
     server      the published aggregate (`build_reveal_round`), or nothing but the
                 ciphertext of the sum (`build_server_blind_round`)
```
"""

from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_federated as tff

from federated.round import announcement, client, collecting, drawing, server, wiring
from federated.round.announcement import Announcement
from federated.round.collecting import Rules
from selenc_tf.lattice import key_store


class Contribution(NamedTuple):
    """What a client adds to the sum.

    Attributes:
      vector: float32 [n], already multiplied by the weight where there is one.
      weight: float32, its weight in a mean.
    """

    vector: Any
    weight: Any


class Uploaded(NamedTuple):
    """What the phase leaves with the parties.

    Attributes:
      total: A `server.CipherSum`, at the server.
      key_check: int64, public, of the round's key, at each client.
      nonce: int64, at each client.
      told: The `Announcement`, at each client.
    """

    total: tff.Value
    key_check: tff.Value
    nonce: tff.Value
    told: tff.Value


def run(
    announced: tff.Value, told: tff.Value, own: tff.Value, rules: Rules
) -> Uploaded:
    """Wires the phase; the arrows are all that the parties exchange in it.

    ```
    SERVER                                  | CLIENTS
    announcement ---------------------------|-> mask, run, round, bounds
                                            |   own vector -----------+-> visible entries
                                            |   key, nonce            +-> codes -> encrypt
                                            |   (empty, if there is nothing to add)
    judge; sum of visible, of ciphertexts <-|-- Upload
    ```

    Args:
      announced: An `Announcement`, at the server.
      told: The same at the clients, however it came there.
      own: A `Contribution`, at each client.
      rules: What uploads must keep to.

    Returns:
      What the phase leaves.
    """

    def read_check(announced: Announcement) -> Any:
        return key_store.read_check(rules.shared_keys, announced.round)

    def protect(
        own: Contribution,
        announced: Announcement,
        key_check: tf.Tensor,
        nonce: tf.Tensor,
    ) -> client.Upload:
        terms = announcement.terms_of(announced, rules, key_check)
        secret_key = announcement.read_key(announced, rules)
        return client.protect(
            own.vector, own.weight, *terms, secret_key, nonce, rules.engine
        )

    # By a computation of its own, which has nothing to do with the key.
    key_check = wiring.apply(read_check, told)
    # Orders the clients without naming them; two equal ones are refused later.
    nonce = wiring.evaluate(drawing.draw, tff.CLIENTS)
    uploads = wiring.apply(protect, own, told, key_check, nonce)
    return Uploaded(add_up(uploads, announced, rules), key_check, nonce, told)


def add_up(uploads: tff.Value, announced: tff.Value, rules: Rules) -> tff.Value:
    """Wires how the server judges uploads and adds those that it takes.

    Args:
      uploads: A `client.Upload` of each client, at the clients.
      announced: An `Announcement`, at the server.
      rules: What uploads must keep to.

    Returns:
      A `server.CipherSum`, at the server.
    """

    def collect(
        collected: collecting.Collected, upload: client.Upload
    ) -> collecting.Collected:
        return collecting.collect(collected, upload, rules)

    def add_up(
        collected: collecting.Collected, announced: Announcement
    ) -> server.CipherSum:
        context = announcement.terms_of(announced, rules).context
        return server.add_ciphertexts(collected, context, rules)

    collected = wiring.aggregate(
        uploads,
        collecting.nothing_collected,
        collect,
        lambda left, right: collecting.join(left, right, rules),
    )
    return wiring.apply(add_up, collected, announced)
