"""Records of pictures in `results.jsonl`: flat, as before there were other modalities.

What reads them (programs of users, runs of earlier versions that go on) finds
`psnr_db` and the like beside the record's own fields, and no word of a modality.
"""

from collections.abc import Mapping, Sequence
from typing import Any

MODALITY = "pictures"

_ALWAYS = ("mse", "psnr_db", "ssim")
_LATER = ("perceptual", "feature_mse", "identified")
_OF_MEMBERS = ("psnr_db", "ssim")
_REHEARSAL = "rehearsal_db"


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """A record's mapping as it is written.

    Args:
      values: With "modality" and "measures", also in its "members"; of any modality.

    Returns:
      That of pictures without them, and their measures beside the other fields.
    """
    rest = dict(values)
    if rest.get("modality") != MODALITY:
        return rest
    del rest["modality"]
    measures = rest.pop("measures")
    rest |= {name: measures.get(name) for name in (*_ALWAYS, *_LATER)}
    rest["members"] = [_flat_member(one) for one in rest["members"]]
    return rest


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flat`; a record without a modality is one of pictures.

    Raises:
      ValueError: If a measure is missing that records of pictures have always had.
    """
    rest = dict(values)
    if "modality" in rest:
        return rest
    missing = sorted(set(_ALWAYS) - rest.keys())
    if missing:
        raise ValueError(
            f"A record of pictures lacks the fields {missing}: another version of "
            "selenc-tf wrote it. Use that version, or start a new run with another "
            "`--run_name`."
        )
    rest["measures"] = _taken(rest, (*_ALWAYS, *_LATER))
    rest["members"] = [_nested_member(one) for one in rest.get("members", ())]
    return {**rest, "modality": MODALITY}


def _flat_member(member: Mapping[str, Any]) -> dict[str, Any]:
    rest = dict(member)
    measures = rest.pop("measures")
    rest[_REHEARSAL] = rest.pop("rehearsal")
    return rest | {name: measures.get(name) for name in _OF_MEMBERS}


def _nested_member(member: Mapping[str, Any]) -> dict[str, Any]:
    rest = dict(member)
    measures = _taken(rest, _OF_MEMBERS)
    if _REHEARSAL in rest:
        rest["rehearsal"] = rest.pop(_REHEARSAL)
    return {**rest, "measures": measures}


def _taken(rest: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Takes out what was measured; None in a file says that it was not."""
    found = {name: rest.pop(name) for name in names if name in rest}
    return {name: value for name, value in found.items() if value is not None}
