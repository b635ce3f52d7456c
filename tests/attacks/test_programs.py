from attacks import programs


def test_equal_arguments_build_once():
    made = []

    def build(model, *, deep=False):
        made.append((model, deep))
        return object()

    shared = programs.Programs()
    first = shared.of(build, "a", deep=True)
    assert shared.of(build, "a", deep=True) is first
    assert shared.of(build, "a") is not first and shared.of(build, "b") is not first
    assert made == [("a", True), ("a", False), ("b", False)]
    assert programs.Programs().of(build, "a", deep=True) is not first


def test_what_cannot_be_hashed_is_known_by_its_identity():
    shared = programs.Programs()
    one, equal = [1], [1]
    first = shared.of(tuple, one)
    assert shared.of(tuple, one) is first
    # Empty ones are one object in CPython, these are not.
    assert shared.of(tuple, equal) is not first


def test_another_program_can_be_given_out():
    shared = programs.Programs()
    shared.use("watched", str, 7)
    assert shared.of(str, 7) == "watched" and shared.of(str, 8) == "8"
