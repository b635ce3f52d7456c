"""From what the tap saw to a `ServerView`: all of it goes in, and nothing else."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from federated import views
from federated.runtime.tap import Crossing, Direction
from selenc_tf.lattice import message as message_lib
from selenc_tf.masks import wire


def server_view(
    crossings: Sequence[Crossing],
    num_parameters: int,
    aggregate: Sequence[np.ndarray] | None = None,
    *,
    measurements: Mapping[str, Any] | None = None,
    hidden_weights: bool = False,
    agreed: np.ndarray | None = None,
    multiplied: bool = False,
) -> views.ServerView:
    """Assembles what the server has of one round.

    Of several encrypted sums in one round (that of the metrics beside that of the
    updates) the named fields have the one whose mask was announced; `others` has the
    rest.

    Args:
      crossings: All crossings of that round, as the tap's observer received them.
      num_parameters: n.
      aggregate: The published average, as the tensors that the round returned at the
        server, or None if the server stays blind.
      measurements: What the encrypted sum measured, if it did.
      hidden_weights: Whether weights are among what is encrypted, as everybody knows who
        runs the process (`SelectiveEncryption.hide_weights`).
      agreed: bool [n], the mask that a round of `federated/mask_rounds.py` ended with:
        in these nobody need upload or announce one.
      multiplied: Whether clients multiplied by their weights: in a weighted mean.

    Returns:
      The view.

    Raises:
      ValueError: If the crossings hold no broadcast model, or no mask or no upload where
        there must be one: they are not those of a selectively encrypted round.
    """
    seen = [crossing for crossing in crossings if crossing.seen_by_server]
    models = [one for one in seen if _is_model(one)]
    masks = [one for one in seen if _has(one, "packed_mask")]
    uploads = _calls(one for one in seen if _has(one, "ciphertext", "nonce"))
    for what, found in (
        ("the broadcast model", models),
        ("the mask", masks or agreed is not None),
        ("an upload", uploads or agreed is not None),
    ):
        if not found:
            raise ValueError(
                f"`crossings` must hold {what}, but none of the {len(crossings)} does. "
                "Pass all crossings of one round of a process in `federated/processes`."
            )
    mask = agreed
    if mask is None:
        # Agreed masks come from the server; a lone client sends its own.
        packed = tf.constant(masks[0].value["packed_mask"])
        mask = wire.unpack(packed, num_parameters).numpy()
    announced = _announcement(seen)
    number = _number_of(uploads, announced.get("run"))
    sent = uploads[number] if uploads else []
    cohort = _cohort(seen, sent)
    asked = _same(_calls(one for one in seen if _is_rank(one)), uploads, number)
    cut = _same(_calls(one for one in seen if _is_share(one)), uploads, number)
    came = _same(
        _calls(one for one in seen if _has(one, "rank", "codes")), uploads, number
    )
    secrets = _same([[one] for one in seen if _is_secret(one)], uploads, number)
    accepted = (
        None if cohort is None else set(np.ravel(cohort.value["cohort"]).tolist())
    )
    messages = [_message(upload, hidden_weights) for upload in sent]
    total = {} if cohort is None else cohort.value
    known = {id(one) for one in (*models, *sent, *asked, *cut, *came, *secrets)}
    view = views.ServerView(
        weights=_tensors(models[0].value, "weights", "trainable"),
        statistics=_tensors(models[0].value, "non_trainable"),
        mask=mask,
        messages=tuple(one for one in messages if _taken(one, accepted)),
        aggregate=None
        if aggregate is None
        else np.concatenate([np.ravel(tensor) for tensor in aggregate]),
        refused=tuple(
            one for one in messages if one.contributes and not _taken(one, accepted)
        ),
        idle=tuple(one for one in messages if not one.contributes),
        run=_whole(announced.get("run")),
        round=_whole(announced.get("round")),
        bounds=announced.get("bounds"),
        cohort=total.get("cohort"),
        visible_sum=total.get("visible_sum"),
        encrypted_sum=_joined(total["ciphertext"]) if "ciphertext" in total else None,
        ranks=tuple(int(np.ravel(one.value)[0]) for one in asked),
        shares=tuple(_joined(one.value[0]) for one in cut),
        opened=tuple(
            views.OpenedShare(
                one.client, int(one.value["rank"]), _joined(one.value["codes"])
            )
            for one in came
        ),
        secret_sum=secrets[0].value if secrets else None,
        measurements=dict(measurements or {}),
        multiplied=multiplied,
    )
    return view._replace(
        others=tuple(
            views.Crossed(
                one.client,
                one.direction is not Direction.SERVER_TO_CLIENTS,
                one.value,
            )
            for one in seen
            if id(one) not in known and not _told(one, view)
        )
    )


def _announcement(seen: Sequence[Crossing]) -> Mapping[str, Any]:
    """What the server announced of the sum: the mask with it, if it tells one."""
    told = [one for one in seen if _has(one, "run")]
    for one in told:
        if "packed_mask" in one.value:
            return dict(one.value)
    return dict(told[0].value) if told else {}


def _number_of(uploads: Sequence[Sequence[Crossing]], run: Any) -> int:
    """Which of several calls has the uploads of this run."""
    counts = [sum(_run_of(one) == run for one in call) for call in uploads]
    return counts.index(max(counts)) if counts else 0


def _run_of(upload: Crossing) -> int | None:
    parts = np.ravel(upload.value["ciphertext"])
    if not parts.size:
        return None
    return int(message_lib.header_of(tf.constant(parts[:1])).context.run)


def _cohort(seen: Sequence[Crossing], sent: Sequence[Crossing]) -> Crossing | None:
    """The broadcast that says who is in the sum of these uploads."""
    nonces = {int(one.value["nonce"]) for one in sent}
    for one in seen:
        if _has(one, "cohort") and nonces.intersection(np.ravel(one.value["cohort"])):
            return one
    return None


def _same(
    calls: Sequence[list[Crossing]], uploads: Sequence[Any], number: int
) -> list[Crossing]:
    """Of calls that come once for each call of uploads, the one of that number."""
    return calls[number] if calls and len(calls) == len(uploads) else []


def _calls(crossings: Iterable[Crossing]) -> list[list[Crossing]]:
    """Crossings of one kind by calls: in each of them clients come once, in order."""
    calls: list[list[Crossing]] = []
    for one in crossings:
        if not calls or calls[-1][-1].client >= one.client:
            calls.append([])
        calls[-1].append(one)
    return calls


def _told(crossing: Crossing, view: views.ServerView) -> bool:
    """Whether all that is in a value is in the view under its name."""
    if not isinstance(crossing.value, Mapping):
        return False
    packed = wire.pack(tf.constant(view.mask)).numpy()
    # What is not in the view is None, which equals no array.
    bounds, cohort = np.asarray(view.bounds), np.asarray(view.cohort)
    visible_sum = np.asarray(view.visible_sum)
    same: Mapping[str, Callable[[Any], bool]] = {
        "packed_mask": lambda value: np.array_equal(value, packed),
        "run": lambda value: value == view.run,
        "round": lambda value: value == view.round,
        "bounds": lambda value: np.array_equal(value, bounds),
        "cohort": lambda value: np.array_equal(value, cohort),
        "visible_sum": lambda value: np.array_equal(value, visible_sum),
        "ciphertext": lambda value: _joined(value) == view.encrypted_sum,
    }
    return all(
        name in same and bool(same[name](value))
        for name, value in crossing.value.items()
    )


def _message(upload: Crossing, hidden_weights: bool) -> views.ClientMessage:
    value = upload.value
    weight = np.nan if hidden_weights else value["weight"]
    return views.ClientMessage(
        plain=np.asarray(value["plain"]),
        ciphertext=_joined(value["ciphertext"]),
        weight=float(np.asarray(weight)),
        nonce=int(value["nonce"]),
        checksum=int(value["checksum"]),
        contributes=bool(value["contributes"]),
        client=upload.client,
    )


def _taken(message: views.ClientMessage, accepted: set[int] | None) -> bool:
    return message.contributes and (accepted is None or message.nonce in accepted)


def _is_model(crossing: Crossing) -> bool:
    to_clients = crossing.direction is Direction.SERVER_TO_CLIENTS
    return to_clients and (_has(crossing, "weights") or _has(crossing, "trainable"))


def _is_rank(crossing: Crossing) -> bool:
    to_server = crossing.direction is Direction.CLIENTS_TO_SERVER
    return to_server and crossing.intrinsic == "federated_select"


def _is_share(crossing: Crossing) -> bool:
    to_clients = crossing.direction is Direction.SERVER_TO_CLIENTS
    return to_clients and crossing.intrinsic == "federated_select"


def _is_secret(crossing: Crossing) -> bool:
    """Whether it is a secure sum of whole numbers in a row, as secrets are."""
    summed = crossing.direction is Direction.SECURE_SUM_TO_SERVER
    return summed and np.ndim(crossing.value) == 1


def _tensors(model: Mapping[str, Any], *fields: str) -> tuple[np.ndarray, ...]:
    """The tensors of a broadcast model in the first of the fields that it has."""
    found = next((model[field] for field in fields if field in model), ())
    listed = found.values() if isinstance(found, Mapping) else found
    return tuple(np.asarray(tensor) for tensor in listed)


def _has(crossing: Crossing, *fields: str) -> bool:
    value = crossing.value
    return isinstance(value, Mapping) and all(field in value for field in fields)


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)


def _joined(text: Any) -> bytes:
    """The bytes of a string tensor, one string after the other."""
    return b"".join(np.ravel(np.asarray(text, object)).tolist())
