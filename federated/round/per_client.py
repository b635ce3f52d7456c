"""A round without a shared key: the sum of the clients' secrets opens the sum.

Every upload is encrypted under a secret that is drawn for it. The server adds what it
takes and says whose it was; the clients of that cohort add up their secrets by TFF's
secure sum, which a deployment replaces by its own protocol, and the server opens. Nobody
has a key beforehand, no client decrypts, and a client learns nothing of others.

If one of them leaves between its upload and the secure sum, what was added does not
open, and the round fails. It is then run again, with new secrets: those of the failed round
are never asked for again. What came of them is the sum over those who stayed, which opens
the sum of their messages: the secure sum has to see to it that these are not too few.
"""

import tensorflow as tf
import tensorflow_federated as tff

from federated.round import announcement, client, drawing, server, upload_phase, wiring
from federated.round.announcement import Announcement
from federated.round.collecting import Rules
from federated.round.opening import CohortBroadcast
from federated.round.upload_phase import Contribution


def run(
    announced: tff.Value,
    told: tff.Value,
    own: tff.Value,
    rules: Rules,
    min_clients: int,
) -> tuple[tff.Value, tff.Value]:
    """Wires the round; the arrows are all that the parties exchange in it.

    ```
    SERVER                                  | CLIENTS
    announcement ---------------------------|-> mask, run, round, bounds
                                            |   own vector -----------+-> visible entries
                                            |   fresh secret, nonce   +-> codes -> encrypt
    judge; sum of visible, of ciphertexts <-|-- Upload
    sorted nonces of who is in the sum -----|-> refusal: too few clients, a nonce twice
    the sum of the secrets <== secure sum ==|== own secret, or zeros of who is not in it
    open
    ```

    Args:
      announced: An `Announcement`, at the server.
      told: The same at the clients.
      own: A `Contribution`, at each client.
      rules: What uploads must keep to.
      min_clients: The smallest cohort to whose sum clients add their secrets.

    Returns:
      A `server.CipherSum`, and the sums of codes, of `client.sum_dtype`, at the server.
    """
    engine, cipher = rules.engine, rules.engine.own_cipher

    def protect(
        own: Contribution, announced: Announcement, nonce: tf.Tensor
    ) -> client.OwnUpload:
        terms = announcement.terms_of(announced, rules)
        return client.protect_own(own.vector, own.weight, *terms, nonce, engine)

    def tell(total: server.CipherSum) -> CohortBroadcast:
        return CohortBroadcast(total.cohort)

    def release(
        secret: tf.Tensor, nonce: tf.Tensor, sent: CohortBroadcast
    ) -> tf.Tensor:
        # Says in words what `release` checks again.
        rank = client.find_rank(nonce, sent.cohort, min_clients)
        with tf.control_dependencies([rank]):
            cohort = tf.identity(sent.cohort)
        return cipher.release(secret, nonce, cohort, tf.constant(min_clients))

    def open_sum(
        total: server.CipherSum, announced: Announcement, released: tf.Tensor
    ) -> tf.Tensor:
        context = announcement.terms_of(announced, rules).context
        return server.open_released(total, released, context, engine)

    nonce = wiring.evaluate(drawing.draw, tff.CLIENTS)
    made = wiring.apply(protect, own, told, nonce)
    total = upload_phase.add_up(made.upload, announced, rules)
    sent = tff.federated_broadcast(wiring.apply(tell, total))
    released = wiring.apply(release, made.secret, nonce, sent)
    summed = tff.federated_secure_sum_bitwidth(released, cipher.secret_bits)
    return total, wiring.apply(open_sum, total, announced, summed)
